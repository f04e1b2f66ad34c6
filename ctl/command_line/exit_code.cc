#include "ctl/command_line/exit_code.h"

#include <string>

#include "common/error_info.h"

namespace fpo::ctl {

absl::Status UsageError(absl::string_view message, absl::string_view hint) {
  return WithErrorInfo(absl::InvalidArgumentError(message),
                       {.reason = ErrorReason::kUsage, .hint = std::string(hint)});
}

absl::Status InterruptedError() {
  return WithErrorInfo(absl::CancelledError("interrupted"), {.reason = ErrorReason::kInterrupted});
}

ExitCode ExitCodeOf(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return reason == ErrorReason::kUsage ? ExitCode::kUsage : ExitCode::kInvalid;
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalid;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kDenied;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return ExitCode::kConflict;
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kQuota;
    case absl::StatusCode::kCancelled:
      return reason == ErrorReason::kInterrupted ? ExitCode::kInterrupted : ExitCode::kInternal;
    default:
      return ExitCode::kInternal;
  }
}

ExitCode ExitCodeOfState(std::optional<JobState> state) {
  if (state == JobState::kSucceeded) return ExitCode::kOk;
  if (state == JobState::kFailed) return ExitCode::kJobFailed;
  if (state == JobState::kCancelled) return ExitCode::kJobCancelled;
  return ExitCode::kInternal;
}

}  // namespace fpo::ctl
