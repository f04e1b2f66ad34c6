#include "ctl/command_line/error_report.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "common/text/json.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/command_line/hint.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {

std::string HintOf(const absl::Status& error) {
  const std::optional<ErrorInfo> info = GetErrorInfo(error);
  if (info && !info->hint.empty()) return info->hint;
  switch (ExitCodeOf(error)) {
    case ExitCode::kInvalid:
      return ReasonOf(error) == ErrorReason::kInvalidJob
                 ? "every key: fpoctl schema; an example: fpoctl init fpo"
                 : "fpoctl --help";
    case ExitCode::kNotFound:
      return "fpoctl list";
    case ExitCode::kUnreachable:
      return "fpoctl health";
    case ExitCode::kDenied:
      return "ask the service's administrator for access";
    case ExitCode::kConflict:
      return "the state of jobs: fpoctl list";
    case ExitCode::kQuota:
      return "try again later; what runs: fpoctl queue";
    case ExitCode::kInterrupted:
      return "what became of it: fpoctl list";
    default:
      return "fpoctl health; if all is well, this is a bug worth reporting";
  }
}

absl::Status WithUsefulHint(const absl::Status& error, const std::vector<std::string>& typed) {
  ErrorInfo info = GetErrorInfo(error).value_or(ErrorInfo());
  info.hint = HintOf(error);
  if (RepeatsLine(info.hint, typed)) {
    info.hint = RepeatsLine("fpoctl health", typed) ? "fpoctl context show" : "fpoctl health";
  }
  return WithErrorInfo(error, info);
}

std::string WarningReport(absl::string_view text, bool json) {
  const std::string line = OneLine(std::string(text));
  if (!json) return absl::StrCat("warning: ", line, "\n");
  return absl::StrCat("{\"warning\":", JsonQuote(line), "}\n");
}

std::string ErrorText(const absl::Status& error) {
  const std::string message(error.message());
  std::vector<std::string> lines = absl::StrSplit(message, '\n', absl::SkipEmpty());
  for (std::string& line : lines) line = OneLine(line);
  std::string text;
  if (ReasonOf(error) == ErrorReason::kInvalidJob) {
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
  json["reason"] = std::string(ErrorReasonName(info.reason));
  json["message"] = std::string(error.message());
  json["field"] = info.field;
  json["hint"] = HintOf(error);
  // Text from elsewhere may contain invalid UTF-8; the line must be printed anyway.
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string ErrorReport(const absl::Status& error, bool json) {
  return json ? ErrorJson(error) : ErrorText(error);
}

}  // namespace fpo::ctl
