#include "client/error_report.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/exit_code.h"
#include "client/text_layout.h"
#include "common/error_info.h"

namespace fpo::client {

std::string HintOf(const absl::Status& error) {
  const std::optional<ErrorInfo> info = GetErrorInfo(error);
  if (info && !info->hint.empty()) return info->hint;
  switch (ExitCodeOf(error)) {
    case ExitCode::kInvalid:
      return "fpoctl schema lists every key; fpoctl init fpo prints an example";
    case ExitCode::kNotFound:
      return "fpoctl list";
    case ExitCode::kUnreachable:
      return "fpoctl health";
    case ExitCode::kDenied:
      return "ask who runs the service for access";
    case ExitCode::kConflict:
      return "fpoctl list shows the state of jobs";
    case ExitCode::kQuota:
      return "try again later; fpoctl list shows what runs";
    case ExitCode::kInterrupted:
      return "run it again";
    default:
      return "fpoctl health; if it is well, this is a bug worth reporting";
  }
}

std::string ErrorText(const absl::Status& error) {
  const std::string message(error.message());
  std::vector<std::string> lines = absl::StrSplit(message, '\n', absl::SkipEmpty());
  for (std::string& line : lines) line = OneLine(line);
  std::string text;
  if (ErrorReason(error) == kInvalidJobReason) {
    for (const std::string& line : lines) absl::StrAppend(&text, line, "\n");
    const size_t count = lines.size();
    lines = {absl::StrCat("the job is not valid: ", count, count == 1 ? " problem" : " problems")};
  }
  if (lines.empty()) lines = {std::string(absl::StatusCodeToString(error.code()))};
  return absl::StrCat(text, "error: ", absl::StrJoin(lines, " "),
                      "; hint: ", OneLine(HintOf(error)), "\n");
}

std::string ErrorJson(const absl::Status& error) {
  const ErrorInfo info = GetErrorInfo(error).value_or(ErrorInfo());
  nlohmann::ordered_json json;
  json["code"] = absl::StatusCodeToString(error.code());
  json["reason"] = info.reason;
  json["message"] = std::string(error.message());
  json["field"] = info.field;
  json["hint"] = HintOf(error);
  // Text from elsewhere may hold broken UTF-8; the line must come out anyhow.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string ErrorReport(const absl::Status& error, bool json) {
  return json ? ErrorJson(error) : ErrorText(error);
}

}  // namespace fpo::client
