#include "common/job/job_reader.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_fields.h"
#include "common/job/sections/constraint_fields.h"
#include "common/text/closest_word.h"
#include "common/text/label.h"

namespace fpo {
namespace {

using NodeKind = JobNode::Kind;

bool IsNull(const JobNode& node) {
  return node.kind == NodeKind::kNull ||
         (node.kind == NodeKind::kScalar && !node.quoted &&
          (node.text.empty() || node.text == "null" || node.text == "~"));
}

// Digits without a leading zero: YAML would read 010 as eight.
bool ParseInteger(const JobNode& node, int64_t* value) {
  absl::string_view digits = node.text;
  if (node.quoted || digits.empty()) return false;
  if (digits.front() == '-') digits.remove_prefix(1);
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return false;
  const bool all_digits = std::all_of(digits.begin(), digits.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
  return all_digits && absl::SimpleAtoi(node.text, value);
}

bool ParseNumber(const JobNode& node, double* value) {
  int64_t integer;
  if (ParseInteger(node, &integer)) {
    *value = static_cast<double>(integer);
    return true;
  }
  const bool plain = node.text.find_first_not_of("0123456789.+-eE") == std::string::npos;
  const bool leading_zero = node.text.size() > 1 && node.text[0] == '0' &&
                            std::isdigit(static_cast<unsigned char>(node.text[1])) != 0;
  return !node.quoted && plain && !leading_zero && absl::SimpleAtod(node.text, value) &&
         std::isfinite(*value);
}

// As people write it: 1000000, not 1e+06; %g for fractions and larger numbers.
std::string Limit(double value) {
  const bool whole = std::floor(value) == value && std::abs(value) < 1e15;
  return whole ? absl::StrCat(static_cast<int64_t>(value)) : absl::StrCat(value);
}

std::string Range(const JobField& field) {
  if (std::isinf(field.max)) return absl::StrCat("at least ", Limit(field.min));
  return absl::StrCat("from ", Limit(field.min), " to ", Limit(field.max));
}

class Reader {
 public:
  explicit Reader(std::vector<JobProblem>* problems) : problems_(problems) {}

  void Complain(const JobNode& node, const std::string& key, std::string message) {
    problems_->push_back({node.line, key, std::move(message)});
  }

  // Reads the members of a mapping into the fields; reports members that are not fields.
  void ReadFields(const JobNode& map, const std::string& prefix,
                  const std::vector<JobField>& fields) {
    std::vector<std::string> names;
    for (const JobField& field : fields) names.emplace_back(field.name);
    for (const JobMember& member : map.members) {
      const std::string key = prefix + member.name;
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&](const JobField& f) { return member.name == f.name; });
      if (field == fields.end()) {
        UnknownKey(member.node, key, member.name, names);
      } else {
        ReadField(member.node, key, *field);
      }
    }
  }

  void UnknownKey(const JobNode& node, const std::string& key, const std::string& name,
                  const std::vector<std::string>& names) {
    const std::string closest = ClosestWord(name, names);
    Complain(node, key,
             closest.empty() ? absl::StrCat("unknown key; known here: ", absl::StrJoin(names, ", "))
                             : absl::StrCat("unknown key; did you mean \"", closest, "\"?"));
  }

  void ReadField(const JobNode& node, const std::string& key, const JobField& field) {
    std::visit([&](auto* slot) { Read(node, key, field, slot); }, field.slot);
  }

 private:
  void Read(const JobNode& node, const std::string& key, const JobField& field, std::string* slot) {
    if (IsNull(node)) return;  // the default stays
    if (node.kind != NodeKind::kScalar) {
      return Complain(node, key, absl::StrCat("must be text, not ", node.KindName()));
    }
    const auto& words = field.words;
    const bool file = !field.or_ending.empty() && absl::EndsWith(node.text, field.or_ending);
    if (!file && !words.empty() &&
        std::find(words.begin(), words.end(), node.text) == words.end()) {
      const std::string files =
          field.or_ending.empty() ? "" : absl::StrCat(", nor a file *", field.or_ending);
      return Complain(
          node, key,
          absl::StrCat("\"", node.text, "\" is not one of ", absl::StrJoin(words, ", "), files));
    }
    *slot = node.text;
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field, int64_t* slot) {
    int64_t value;
    if (node.kind != NodeKind::kScalar || !ParseInteger(node, &value)) {
      return WrongNumber(node, key, "a whole number", field);
    }
    if (InRange(node, key, field, static_cast<double>(value))) *slot = value;
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field,
            std::optional<int64_t>* slot) {
    if (IsNull(node)) return slot->reset();
    int64_t value = 0;
    const size_t before = problems_->size();
    Read(node, key, field, &value);
    if (problems_->size() == before) *slot = value;
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field, double* slot) {
    double value;
    if (node.kind != NodeKind::kScalar || !ParseNumber(node, &value)) {
      return WrongNumber(node, key, "a number", field);
    }
    if (InRange(node, key, field, value)) *slot = value;
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field,
            std::optional<double>* slot) {
    if (IsNull(node)) return slot->reset();
    double value = 0;
    const size_t before = problems_->size();
    Read(node, key, field, &value);
    if (problems_->size() == before) *slot = value;
  }

  void Read(const JobNode& node, const std::string& key, const JobField&, bool* slot) {
    const bool word = node.kind == NodeKind::kScalar && !node.quoted &&
                      (node.text == "true" || node.text == "false");
    if (!word) {
      return Complain(node, key, absl::StrCat("must be true or false", Given(node)));
    }
    *slot = node.text == "true";
  }

  void Read(const JobNode& node, const std::string& key, const JobField&,
            std::vector<std::string>* slot) {
    if (IsNull(node)) return slot->clear();
    std::vector<JobNode> items = node.items;
    if (node.kind == NodeKind::kScalar) items = {node};
    if (node.kind == NodeKind::kMap) {
      return Complain(node, key, "must be a list of words, not a mapping");
    }
    slot->clear();
    for (const JobNode& item : items) {
      if (item.kind != NodeKind::kScalar || IsNull(item)) {
        return Complain(item, key, absl::StrCat("must hold words, not ", item.KindName()));
      }
      slot->push_back(item.text);
    }
  }

  // One set of files, or a mapping of names to such sets.
  void Read(const JobNode& node, const std::string& key, const JobField& field, DataSection* slot) {
    slot->eval.clear();
    slot->eval_name.clear();
    slot->more_eval.clear();
    if (node.kind != NodeKind::kMap) return Read(node, key, field, &slot->eval);
    if (node.members.empty()) return Complain(node, key, "names no set: {NAME: FILE, ...}");
    for (const auto& [name, value] : node.members) {
      if (name.empty()) Complain(value, key, "has a set without a name");
      EvalSetSection set{name, {}};
      Read(value, absl::StrCat(key, ".", name), field, &set.files);
      slot->more_eval.push_back(std::move(set));
    }
    slot->eval_name = slot->more_eval.front().name;
    slot->eval = std::move(slot->more_eval.front().files);
    slot->more_eval.erase(slot->more_eval.begin());
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field,
            std::vector<double>* slot) {
    if (node.kind != NodeKind::kList) {
      return Complain(node, key, absl::StrCat("must be a list of numbers", Given(node)));
    }
    std::vector<double> values;
    for (const JobNode& item : node.items) {
      double value;
      if (item.kind != NodeKind::kScalar || !ParseNumber(item, &value)) {
        return WrongNumber(item, key, "a list of numbers", field);
      }
      if (!InRange(item, key, field, value)) return;
      values.push_back(value);
    }
    *slot = values;
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field,
            std::vector<int64_t>* slot) {
    if (node.kind != NodeKind::kList) {
      return Complain(node, key, absl::StrCat("must be a list of whole numbers", Given(node)));
    }
    std::vector<int64_t> values;
    for (const JobNode& item : node.items) {
      int64_t value = 0;
      const size_t before = problems_->size();
      Read(item, key, field, &value);
      if (problems_->size() != before) return;
      values.push_back(value);
    }
    *slot = std::move(values);
  }

  void Read(const JobNode& node, const std::string& key, const JobField&,
            std::vector<FeatureSetSection>* slot) {
    if (IsNull(node)) return slot->clear();
    if (node.kind != NodeKind::kList) {
      return Complain(node, key, absl::StrCat("must be a list of mappings", Given(node)));
    }
    slot->clear();
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string item = absl::StrCat(key, ".", i);
      if (node.items[i].kind != NodeKind::kMap) {
        Complain(node.items[i], item,
                 absl::StrCat("must be a mapping with name, features, max_change",
                              Given(node.items[i])));
        continue;
      }
      FeatureSetSection set;
      ReadFields(node.items[i], item + ".", FeatureSetFields(&set));
      slot->push_back(std::move(set));
    }
  }

  void Read(const JobNode& node, const std::string& key, const JobField& field, JobNames* slot) {
    if (IsNull(node)) return slot->clear();
    if (node.kind != NodeKind::kMap) {
      return Complain(node, key, absl::StrCat("must be a mapping of names", Given(node)));
    }
    slot->clear();
    const std::vector<std::string> names(field.words.begin(), field.words.end());
    for (const auto& [name, value] : node.members) {
      const std::string whole = absl::StrCat(key, ".", name);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        UnknownKey(value, whole, name, names);
      } else if (value.kind != NodeKind::kScalar || IsNull(value)) {
        Complain(value, whole,
                 absl::StrCat("must be the name of a column, not ", value.KindName()));
      } else {
        slot->emplace_back(name, value.text);
      }
    }
  }

  static std::string Given(const JobNode& node) {
    return node.kind == NodeKind::kScalar ? absl::StrCat(", not \"", node.text, "\"")
                                          : absl::StrCat(", not ", node.KindName());
  }

  void WrongNumber(const JobNode& node, const std::string& key, absl::string_view what,
                   const JobField& field) {
    Complain(node, key, absl::StrCat("must be ", what, " ", Range(field), Given(node)));
  }

  bool InRange(const JobNode& node, const std::string& key, const JobField& field, double value) {
    if (value >= field.min && value <= field.max) return true;
    Complain(node, key, absl::StrCat(node.text, " is out of range; allowed: ", Range(field)));
    return false;
  }

  std::vector<JobProblem>* problems_;
};

void ReadLabels(const JobNode& node, Reader* reader, JobConfig* config) {
  if (node.kind != NodeKind::kMap) {
    if (!IsNull(node)) reader->Complain(node, "labels", "must be a mapping of words");
    return;
  }
  for (const auto& [name, value] : node.members) {
    if (!IsLabelName(name)) {
      reader->Complain(value, "labels." + name,
                       "a label's name is 1 to 63 of letters, digits, '.', '_', '-' and '/'");
      continue;
    }
    if (value.kind != NodeKind::kScalar || !IsLabelValue(value.text)) {
      reader->Complain(value, "labels." + name,
                       "must be text of at most 255 bytes without control characters");
      continue;
    }
    config->labels.emplace_back(name, value.text);
  }
}

void ReadSaes(const JobNode& node, Reader* reader, JobConfig* config) {
  std::vector<JobNode> items = node.items;
  if (node.kind == NodeKind::kMap) items = {node};
  if (node.kind == NodeKind::kScalar && !IsNull(node)) {
    return reader->Complain(node, "sae", "must be a mapping with path, layer, site");
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string prefix =
        node.kind == NodeKind::kMap ? std::string("sae.") : absl::StrCat("sae.", i, ".");
    SaeSection sae;
    if (items[i].kind != NodeKind::kMap) {
      reader->Complain(items[i], prefix.substr(0, prefix.size() - 1),
                       "must be a mapping with path, layer, site");
      continue;
    }
    reader->ReadFields(items[i], prefix, SaeFields(&sae));
    config->sae.push_back(sae);
  }
}

void ReadEntry(const JobNode& node, const JobEntry& entry, Reader* reader, JobConfig* config) {
  switch (entry.kind) {
    case JobEntry::Kind::kField:
      return reader->ReadField(node, entry.name, entry.fields.front());
    case JobEntry::Kind::kLabels:
      return ReadLabels(node, reader, config);
    case JobEntry::Kind::kSaeList:
      return ReadSaes(node, reader, config);
    case JobEntry::Kind::kSection:
      if (node.kind == NodeKind::kMap) {
        return reader->ReadFields(node, std::string(entry.name) + ".", entry.fields);
      }
      if (!IsNull(node)) {
        reader->Complain(node, entry.name,
                         absl::StrCat("must be a mapping, not ", node.KindName()));
      }
  }
}

}  // namespace

void ReadJobTree(const JobNode& root, JobConfig* config, std::vector<JobProblem>* problems) {
  Reader reader(problems);
  if (root.kind != NodeKind::kMap) {
    reader.Complain(root, "",
                    absl::StrCat("a job is a mapping of keys, not ", root.KindName(),
                                 "; `fpoctl init fpo` writes an example"));
    return;
  }
  const std::vector<JobEntry> entries = JobEntries(config);
  std::vector<std::string> names;
  for (const JobEntry& entry : entries) names.emplace_back(entry.name);
  for (const JobMember& member : root.members) {
    const auto entry = std::find_if(entries.begin(), entries.end(),
                                    [&](const JobEntry& e) { return member.name == e.name; });
    if (entry == entries.end()) {
      reader.UnknownKey(member.node, member.name, member.name, names);
    } else {
      ReadEntry(member.node, *entry, &reader, config);
    }
  }
}

}  // namespace fpo
