#include <cmath>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_fields.h"
#include "common/job/job_file.h"
#include "common/job/sections/constraint_fields.h"
#include "common/text/json.h"

namespace fpo {
namespace {

// YAML 1.1 readers take "5e-07" for text and "5.0e-07" for a number; JSON accepts both.
std::string Number(double value) {
  std::string text = JsonNumber(value);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string Object(const std::vector<JobField>& fields);
std::string ObjectSchema(const std::vector<JobField>& fields, const char* doc);

struct ValueWriter {
  std::string operator()(const std::string* v) const { return JsonQuote(*v); }
  std::string operator()(const int64_t* v) const { return absl::StrCat(*v); }
  std::string operator()(const double* v) const { return Number(*v); }
  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(const std::optional<int64_t>* v) const {
    return v->has_value() ? absl::StrCat(**v) : "null";
  }
  std::string operator()(const std::optional<double>* v) const {
    return v->has_value() ? Number(**v) : "null";
  }
  std::string operator()(const std::vector<int64_t>* v) const {
    return absl::StrCat("[", absl::StrJoin(*v, ", "), "]");
  }
  std::string operator()(std::vector<FeatureSetSection>* v) const {
    std::vector<std::string> items;
    for (FeatureSetSection& set : *v) items.push_back(Object(FeatureSetFields(&set)));
    return JsonArray(items);
  }
  std::string operator()(const std::vector<std::string>* v) const {
    std::vector<std::string> items;
    for (const std::string& item : *v) items.push_back(JsonQuote(item));
    return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
  }
  // Programs that know one set refuse a mapping.
  std::string operator()(const DataSection* v) const {
    if (v->eval_name.empty()) return (*this)(&v->eval);
    JsonObject object;
    object.AddRaw(v->eval_name, (*this)(&v->eval));
    for (const EvalSetSection& set : v->more_eval) object.AddRaw(set.name, (*this)(&set.files));
    return object.Text();
  }
  std::string operator()(const JobNames* v) const {
    JsonObject object;
    for (const auto& [name, text] : *v) object.Add(name, text);
    return object.Text();
  }
  std::string operator()(const std::vector<double>* v) const {
    std::vector<std::string> items;
    for (double item : *v) items.push_back(Number(item));
    return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
  }
};

struct SchemaType {
  std::string operator()(const std::string*) const { return R"("type":"string")"; }
  std::string operator()(const int64_t*) const { return R"("type":"integer")"; }
  std::string operator()(const double*) const { return R"("type":"number")"; }
  std::string operator()(const bool*) const { return R"("type":"boolean")"; }
  std::string operator()(const std::optional<int64_t>*) const {
    return R"("type":["integer","null"])";
  }
  std::string operator()(const std::optional<double>*) const {
    return R"("type":["number","null"])";
  }
  std::string operator()(const std::vector<int64_t>*) const {
    return R"("type":"array","items":{"type":"integer","minimum":0})";
  }
  std::string operator()(const std::vector<FeatureSetSection>*) const {
    FeatureSetSection set;
    return absl::StrCat(R"("type":["array","null"],"items":)",
                        ObjectSchema(FeatureSetFields(&set), "a set of features"));
  }
  std::string operator()(const std::vector<std::string>*) const {
    return R"("anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}])";
  }
  std::string operator()(const DataSection*) const {
    const std::string files = (*this)(static_cast<const std::vector<std::string>*>(nullptr));
    return absl::StrCat(R"("anyOf":[{)", files, R"(},{"type":"object","minProperties":1,)",
                        R"("maxProperties":)", kEvalSetsMax,
                        R"(,"propertyNames":{"pattern":"^[a-z0-9_-]{1,32}$"},)",
                        R"("additionalProperties":{)", files, "}}]");
  }
  std::string operator()(const std::vector<double>*) const {
    return R"("type":"array","items":{"type":"number"},"minItems":2,"maxItems":2)";
  }
  std::string operator()(const JobNames*) const {
    return R"("type":["object","null"],"additionalProperties":{"type":"string"})";
  }
};

// An empty word means "not given", which the reader also infers from its absence.
bool IsWritten(const JobField& field) {
  const std::string text = JobFieldText(field);
  return !(text == "\"\"" && !field.words.empty()) &&
         (field.unwritten.empty() || text != field.unwritten);
}

// A section whose first key is left out says nothing; programs of before it know no such section,
// or no such key.
bool IsWritten(const JobEntry& entry) {
  const bool has_fields =
      entry.kind == JobEntry::Kind::kSection || entry.kind == JobEntry::Kind::kField;
  return !has_fields || entry.fields.front().unwritten.empty() || IsWritten(entry.fields.front());
}

std::string Object(const std::vector<JobField>& fields) {
  JsonObject object;
  for (const JobField& field : fields) {
    if (IsWritten(field)) object.AddRaw(field.name, JobFieldText(field));
  }
  return object.Text();
}

std::string Labels(const JobConfig& config) {
  JsonObject object;
  for (const auto& [name, value] : config.labels) object.Add(name, value);
  return object.Text();
}

std::string Saes(JobConfig* config) {
  std::vector<std::string> items;
  for (SaeSection& sae : config->sae) items.push_back(Object(SaeFields(&sae)));
  return JsonArray(items);
}

std::string EntryValue(const JobEntry& entry, JobConfig* config) {
  switch (entry.kind) {
    case JobEntry::Kind::kField:
      return JobFieldText(entry.fields.front());
    case JobEntry::Kind::kLabels:
      return Labels(*config);
    case JobEntry::Kind::kSaeList:
      return Saes(config);
    case JobEntry::Kind::kSection:
      return Object(entry.fields);
  }
  return "null";
}

std::string FieldSchema(const JobField& field) {
  const bool depends = !field.by_default.empty();
  const std::string doc = absl::StrCat(field.doc, depends ? "; default: " : "", field.by_default);
  std::string schema =
      absl::StrCat("{", std::visit(SchemaType(), field.slot), ",\"description\":", JsonQuote(doc));
  if (!field.words.empty()) {
    std::vector<std::string> words;
    for (const char* word : field.words) words.push_back(JsonQuote(word));
    const std::string allowed = absl::StrCat("\"enum\":", JsonArray(words));
    if (std::holds_alternative<JobNames*>(field.slot)) {
      absl::StrAppend(&schema, ",\"propertyNames\":{", allowed, "}");
    } else if (field.or_ending.empty()) {
      absl::StrAppend(&schema, ",", allowed);
    } else {
      const std::string pattern = JsonQuote(absl::StrCat("\\", field.or_ending, "$"));
      absl::StrAppend(&schema, ",\"anyOf\":[{", allowed, "},{\"pattern\":", pattern, "}]");
    }
  }
  const bool list = std::holds_alternative<std::vector<double>*>(field.slot) ||
                    std::holds_alternative<std::vector<int64_t>*>(field.slot);
  if (!list && std::isfinite(field.min)) {
    absl::StrAppend(&schema, ",\"minimum\":", JsonNumber(field.min));
  }
  if (!list && std::isfinite(field.max)) {
    absl::StrAppend(&schema, ",\"maximum\":", JsonNumber(field.max));
  }
  const std::string value = JobFieldText(field);
  if (!depends && value != "\"\"" && value != "[]")
    absl::StrAppend(&schema, ",\"default\":", value);
  return schema + "}";
}

std::string ObjectSchema(const std::vector<JobField>& fields, const char* doc) {
  JsonObject properties;
  for (const JobField& field : fields) properties.AddRaw(field.name, FieldSchema(field));
  // A section whose keys are all still comments is null.
  return absl::StrCat("{\"type\":[\"object\",\"null\"],\"description\":", JsonQuote(doc),
                      ",\"additionalProperties\":false,\"properties\":", properties.Text(), "}");
}

std::string EntrySchema(const JobEntry& entry) {
  SaeSection sae;
  const std::string one = ObjectSchema(SaeFields(&sae), entry.doc);
  switch (entry.kind) {
    case JobEntry::Kind::kField:
      return FieldSchema(entry.fields.front());
    case JobEntry::Kind::kLabels:
      return R"({"type":["object","null"],"additionalProperties":{"type":"string"}})";
    case JobEntry::Kind::kSaeList:
      return absl::StrCat("{\"anyOf\":[", one, ",{\"type\":\"array\",\"items\":", one, "}]}");
    case JobEntry::Kind::kSection:
      return ObjectSchema(entry.fields, entry.doc);
  }
  return "{}";
}

}  // namespace

// YAML's flow style with quoted text is JSON.
std::string JobFieldText(const JobField& field) { return std::visit(ValueWriter(), field.slot); }

std::string WriteJobJson(const JobConfig& config) {
  JobConfig copy = config;
  JsonObject object;
  for (const JobEntry& entry : JobEntries(&copy)) {
    if (IsWritten(entry)) object.AddRaw(entry.name, EntryValue(entry, &copy));
  }
  return object.Text();
}

std::string WriteJobYaml(const JobConfig& config) {
  JobConfig copy = config;
  std::string text;
  for (const JobEntry& entry : JobEntries(&copy)) {
    if (!IsWritten(entry)) continue;
    if (entry.kind != JobEntry::Kind::kSection) {
      absl::StrAppend(&text, entry.name, ": ", EntryValue(entry, &copy), "\n");
      continue;
    }
    absl::StrAppend(&text, entry.name, ":\n");
    for (const JobField& field : entry.fields) {
      if (!IsWritten(field)) continue;
      absl::StrAppend(&text, "  ", field.name, ": ", JobFieldText(field), "\n");
    }
  }
  return text;
}

std::string JobSchema() {
  JobConfig defaults;
  JsonObject properties;
  for (const JobEntry& entry : JobEntries(&defaults)) {
    properties.AddRaw(entry.name, EntrySchema(entry));
  }
  return absl::StrCat(
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"FPO job",)",
      R"("type":"object","additionalProperties":false,"required":["name","model"],)",
      "\"properties\":", properties.Text(), "}\n");
}

}  // namespace fpo
