#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fpo {

// What a failed call tells programs and people beside its code and message. It travels inside an
// absl::Status as a payload and between processes in the gRPC status details, where it is an
// fpo.v1.ErrorDetail.
struct ErrorInfo {
  std::string reason = {};            // stable word for programs, e.g. "STALE_CLAIM"
  std::string field = {};             // request field or job key that is wrong, if one is
  std::string hint = {};              // the next thing to do, for people
  std::vector<std::string> ids = {};  // what the error is about

  bool operator==(const ErrorInfo&) const = default;
};

// Type of the payload, in absl::Status and in google.rpc.Status.details.
inline constexpr char kErrorInfoType[] = "type.googleapis.com/fpo.v1.ErrorDetail";

// Replaces the info of an error. Does nothing to an OK status.
void AttachErrorInfo(absl::Status* status, const ErrorInfo& info);
// The same for a return statement: return WithErrorInfo(absl::NotFoundError(...), {.reason =
// "JOB_NOT_FOUND"});
absl::Status WithErrorInfo(absl::Status status, const ErrorInfo& info);
// Nothing when the status carries none or its payload is malformed.
std::optional<ErrorInfo> GetErrorInfo(const absl::Status& status);
// The reason word alone; empty when there is none.
std::string ErrorReason(const absl::Status& status);

// The bytes of the payload: protobuf wire format of ErrorDetail (strings 1 reason, 2 field, 3 hint,
// repeated 4 ids).
std::string EncodeErrorInfo(const ErrorInfo& info);
std::optional<ErrorInfo> DecodeErrorInfo(const std::string& bytes);

}  // namespace fpo
