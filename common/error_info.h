#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/error_reason.h"

namespace fpo {

// What a failed call tells programs and people in addition to its code and message. It travels
// inside an absl::Status, one payload per field, and between processes as an fpo.v1.ErrorDetail in
// the gRPC status details (common/rpc/grpc_status).
struct ErrorInfo {
  ErrorReason reason = ErrorReason::kUnspecified;
  std::string field = {};             // request field or job key that is wrong, if one is
  std::string hint = {};              // what to do next, for people
  std::vector<std::string> ids = {};  // what the error is about

  bool operator==(const ErrorInfo&) const = default;
};

// Replaces the info of an error. Does nothing to an OK status.
void AttachErrorInfo(absl::Status* status, const ErrorInfo& info);
// The same for a return statement:
//   return WithErrorInfo(absl::NotFoundError(...), {.reason = ErrorReason::kJobNotFound});
absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info);
// nullopt when the status carries none.
std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status);
// Only the reason.
ErrorReason ReasonOf(const absl::Status& status);

}  // namespace fpo
