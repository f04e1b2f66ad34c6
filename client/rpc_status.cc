#include "client/rpc_status.h"

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "common/error_info.h"
#include "common/rpc/grpc_status.h"

namespace fpo::client {
namespace {

// gRPC names all addresses and the last error of one of them; the end says what happened
// ("Connection refused").
std::string Cause(const std::string& message) {
  const size_t colon = message.rfind(": ");
  const bool listed = message.rfind("failed to connect to all addresses", 0) == 0;
  return listed && colon != std::string::npos ? message.substr(colon + 2) : message;
}

}  // namespace

absl::Status CallError(const grpc::Status& status, const CallSite& site) {
  if (status.ok()) return absl::OkStatus();
  if (site.interrupted) return InterruptedError();
  absl::Status error = FromGrpcStatus(status);
  if (GetErrorInfo(error)) return error;
  if (error.code() == absl::StatusCode::kUnavailable) {
    error =
        absl::UnavailableError(absl::StrCat("the ", site.service, " at ", site.address,
                                            " cannot be reached: ", Cause(status.error_message())));
    AttachErrorInfo(&error, {.reason = "UNREACHABLE",
                             .hint = absl::StrCat("start ", site.program,
                                                  " or name its address with ", site.flag)});
  } else if (error.code() == absl::StatusCode::kDeadlineExceeded) {
    error = absl::DeadlineExceededError(
        absl::StrCat("the ", site.service, " at ", site.address, " did not answer in time"));
    AttachErrorInfo(&error, {.reason = "DEADLINE", .hint = "fpoctl health"});
  } else if (error.code() == absl::StatusCode::kUnimplemented) {
    error = absl::UnimplementedError(absl::StrCat("what listens at ", site.address,
                                                  " does not know this call: it is not the ",
                                                  site.service, " or an older one"));
    AttachErrorInfo(&error, {.reason = "UNIMPLEMENTED",
                             .hint = absl::StrCat("check ", site.flag, "; fpoctl version")});
  }
  return error;
}

bool IsLost(const absl::Status& status) {
  // A stopping server cancels its streams.
  return status.code() == absl::StatusCode::kUnavailable || ErrorReason(status) == "BUSY" ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         (status.code() == absl::StatusCode::kCancelled &&
          ErrorReason(status) != kInterruptedReason);
}

}  // namespace fpo::client
