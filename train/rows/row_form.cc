#include "train/rows/row_form.h"

#include <array>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kFieldsMax = 12;
constexpr size_t kFieldBytesMax = 40;

// A row format used elsewhere that this program does not read.
struct ForeignForm {
  std::vector<const char*> fields;  // all present
  const char* name;
};

// The first match counts.
const std::vector<ForeignForm>& ForeignForms() {
  static const std::vector<ForeignForm> forms = {
      {{"conversations"}, "ShareGPT rows (conversations of {from, value})"},
      {{"prompt", "completion", "label"}, "KTO rows (one completion and a label)"},
      {{"completion", "label"}, "KTO rows (one completion and a label)"},
      {{"messages", "label"}, "KTO rows (one conversation and a label)"},
      {{"prompt", "completion"}, "prompt-completion rows (rename completion to chosen, for sft)"},
      {{"instruction", "completions"},
       "raw UltraFeedback rows (several rated completions; use a binarized version)"},
      {{"prompt", "completions"}, "rows of several rated completions"},
      {{"instruction", "chosen_response"}, "rows whose fields have other names"},
      {{"question", "chosen"}, "rows whose prompt is called question"},
      {{"instruction", "output"}, "Alpaca rows (instruction, input, output)"},
      {{"prompt", "response_0", "response_1"}, "SafeRLHF rows (response_0, response_1)"},
      {{"history", "human_ref_A", "human_ref_B"}, "SHP rows (human_ref_A, human_ref_B)"},
      {{"question", "answer"}, "question-answer rows"},
      {{"chosen", "rejected"}, ""},
  };
  return forms;
}

std::string QuotedField(absl::string_view name) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(name.substr(0, kFieldBytesMax)), "\"");
}

std::string FieldList(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) {
    if (names.size() == kFieldsMax) {
      names.emplace_back("...");
      break;
    }
    names.push_back(QuotedField(name));
  }
  return absl::StrJoin(names, ", ");
}

bool Fits(const ForeignForm& form, const Json& row) {
  for (const char* field : form.fields) {
    if (!row.contains(field)) return false;
  }
  return true;
}

}  // namespace

std::string DescribeRow(const Json& row) {
  if (!row.is_object() || row.empty()) return "the row has no fields";
  std::string text =
      absl::StrCat("the row has the field", row.size() == 1 ? " " : "s ", FieldList(row));
  for (const ForeignForm& form : ForeignForms()) {
    if (!Fits(form, row)) continue;
    if (*form.name != '\0') absl::StrAppend(&text, ": ", form.name, " are not read");
    break;
  }
  return text;
}

std::string WhyNoMessage(const Json& entry) {
  if (!entry.is_object()) {
    return absl::StrCat("is ", entry.type_name(), ", expected {role, content}");
  }
  if (!entry.contains("role") || !entry.contains("content")) {
    const bool share = entry.contains("from") && entry.contains("value");
    return absl::StrCat("has the fields ", FieldList(entry), share ? " (ShareGPT)" : "",
                        ", expected \"role\" and \"content\"");
  }
  if (!entry["role"].is_string()) {
    return absl::StrCat("has a role that is ", entry["role"].type_name(), ", expected a string");
  }
  const Json& content = entry["content"];
  if (content.is_string()) return "";
  if (content.is_array()) {
    return "has a list of parts as its content ({type, text} ...); its text must be one string";
  }
  if (content.is_null()) return "has no content (null: a tool call?); expected a string";
  return absl::StrCat("has a content that is ", content.type_name(), ", expected a string");
}

std::string WhyNoJson(absl::string_view text) {
  if (absl::StartsWith(text, "{'")) {
    return "not JSON: its strings are in single quotes (a printed Python dict?)";
  }
  if (text == "{") {
    return "not JSON: the object continues on the next line; a file holds one row per line, or one "
           "array of rows";
  }
  const bool open = absl::StartsWith(text, "{") && !absl::EndsWith(text, "}");
  return open ? "not JSON: the object is not closed at the end of the line" : "not JSON";
}

}  // namespace fpo::train
