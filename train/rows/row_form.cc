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
      {{"input_ids", "labels"}, "rows tokenised elsewhere (name them prompt_ids and chosen_ids)"},
      {{"input_ids"}, "rows tokenised elsewhere (name them prompt_ids and chosen_ids)"},
      {{"question", "choices", "answer"}, "multiple-choice rows"},
      {{"article", "highlights"}, "summaries (data.columns can name prompt and completion)"},
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
  const char* role = entry.contains("role") ? "role" : "from";
  const bool named = entry.contains(role);
  // A tool call may have no content.
  const bool content = entry.contains("content") || entry.contains("value") ||
                       entry.contains("tool_calls") || entry.contains("function_call");
  if (!named || !content) {
    return absl::StrCat("has the fields ", FieldList(entry),
                        ", expected \"role\" and \"content\", or \"from\" and \"value\"");
  }
  if (entry[role].is_string()) return "";
  return absl::StrCat("has a role that is ", entry[role].type_name(), ", expected a string");
}

std::string WhyNoJson(absl::string_view text, absl::string_view reason) {
  if (absl::StartsWith(text, "{'")) {
    return "not JSON: its strings are in single quotes (a printed Python dict?)";
  }
  if (text == "{") {
    return "not JSON: the object continues on the next line (pretty-printed?); a file holds one "
           "row "
           "per line, or one array of rows, [ ... ]";
  }
  const bool open = absl::StartsWith(text, "{") && !absl::EndsWith(text, "}");
  if (open) return "not JSON: the object is not closed at the end of the line";
  return reason.empty() ? "not JSON" : absl::StrCat("not JSON: ", reason);
}

}  // namespace fpo::train
