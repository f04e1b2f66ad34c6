#include "train/events/exit_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

constexpr char kPayload[] = "fpo.exit_code";

absl::StatusCode CodeFor(ExitCode code) {
  switch (code) {
    case ExitCode::kDone:
      return absl::StatusCode::kOk;
    case ExitCode::kUsage:
    case ExitCode::kInvalid:
      return absl::StatusCode::kInvalidArgument;
    case ExitCode::kForeignCache:
    case ExitCode::kContract:
      return absl::StatusCode::kFailedPrecondition;
    case ExitCode::kOutOfMemory:
      return absl::StatusCode::kResourceExhausted;
    case ExitCode::kPeerLost:
      return absl::StatusCode::kAborted;
    case ExitCode::kStopped:
      return absl::StatusCode::kCancelled;
    case ExitCode::kNotFinite:
      return absl::StatusCode::kOutOfRange;
    case ExitCode::kStorage:
    case ExitCode::kDevice:
      return absl::StatusCode::kUnavailable;
    case ExitCode::kBug:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(static_cast<int>(code))));
  return status;
}

}  // namespace

absl::Status FailWith(ExitCode code, absl::string_view message) {
  return WithExitCode(absl::Status(CodeFor(code), message), code);
}

absl::Status AsStorageError(const absl::Status& status) {
  return status.ok() ? status : WithExitCode(status, ExitCode::kStorage);
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return ExitCode::kDone;
  if (const auto payload = status.GetPayload(kPayload); payload.has_value()) {
    int code = 0;
    if (absl::SimpleAtoi(std::string(*payload), &code)) return static_cast<ExitCode>(code);
  }
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return ExitCode::kInvalid;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kPeerLost;
    case absl::StatusCode::kCancelled:
      return ExitCode::kStopped;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kPermissionDenied:
    // A full disk, too many open files. Lack of memory is reported by FailWith (RunTorch).
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kStorage;
    default:
      return ExitCode::kBug;
  }
}

std::string ErrorClass(ExitCode code) {
  switch (code) {
    case ExitCode::kDone:
      return "done";
    case ExitCode::kUsage:
      return "usage";
    case ExitCode::kInvalid:
      return "invalid";
    case ExitCode::kForeignCache:
      return "foreign_cache";
    case ExitCode::kOutOfMemory:
      return "memory";
    case ExitCode::kPeerLost:
      return "peer";
    case ExitCode::kStopped:
      return "stopped";
    case ExitCode::kNotFinite:
      return "not_finite";
    case ExitCode::kStorage:
      return "storage";
    case ExitCode::kDevice:
      return "device";
    case ExitCode::kContract:
      return "contract";
    case ExitCode::kBug:
      return "program";
  }
  return "program";
}

}  // namespace fpo::train
