#include "common/input_check.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

absl::StatusOr<const nlohmann::json*> ListOf(const nlohmann::json& object, const char* key) {
  const nlohmann::json* list = FindMember(object, key);
  if (list != nullptr && list->is_array()) return list;
  return absl::InvalidArgumentError(absl::StrCat("no list \"", key, "\""));
}

}  // namespace

std::string InputCheckJson(const InputCheck& check) {
  std::vector<std::string> problems, warnings;
  for (const JobProblem& problem : check.problems) {
    JsonObject object;
    object.Add("key", problem.key);
    object.Add("message", problem.message);
    problems.push_back(object.Text());
  }
  for (const std::string& warning : check.warnings) warnings.push_back(JsonQuote(warning));
  JsonObject object;
  object.AddRaw("problems", JsonArray(problems));
  object.AddRaw("warnings", JsonArray(warnings));
  object.Add("rows", check.rows);
  return object.Text();
}

absl::StatusOr<InputCheck> ParseInputCheck(absl::string_view json) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json root, ParseJson(json));
  FPO_ASSIGN_OR_RETURN(const nlohmann::json* problems, ListOf(root, "problems"));
  FPO_ASSIGN_OR_RETURN(const nlohmann::json* warnings, ListOf(root, "warnings"));
  InputCheck check;
  for (const nlohmann::json& item : *problems) {
    JobProblem& problem = check.problems.emplace_back();
    FPO_RETURN_IF_ERROR(ReadMember(item, "key", &problem.key));
    FPO_RETURN_IF_ERROR(ReadMember(item, "message", &problem.message));
  }
  for (const nlohmann::json& item : *warnings) {
    if (!item.is_string()) return absl::InvalidArgumentError("a warning is no text");
    check.warnings.push_back(item.get<std::string>());
  }
  FPO_RETURN_IF_ERROR(ReadMember(root, "rows", &check.rows));
  return check;
}

}  // namespace fpo
