#include "ctl/rpc/rpc_status.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/rpc/grpc_status.h"
#include "ctl/command_line/exit_code.h"

namespace fpo::ctl {
namespace {

// gRPC lists all addresses and the last error of one of them; its end says what happened
// ("Connection refused").
std::string Cause(const std::string& message) {
  const size_t colon = message.rfind(": ");
  const bool listed = message.rfind("failed to connect to all addresses", 0) == 0;
  return listed && colon != std::string::npos ? message.substr(colon + 2) : message;
}

// A connection error of gRPC, what it means, and what to do about it.
struct Trouble {
  const char* said;
  const char* means;
  const char* hint;
};

constexpr Trouble kTroubles[] = {
    {"DNS resolution failed", "the host name is unknown", "is its name right?"},
    {"wrong version number", "it does not use TLS",
     "leave out --tls-ca; where it is from: fpoctl context show"},
    {"certificate verify failed",
     "its certificate is not from the CA that was given, or not for this name",
     "name the CA that signed it with --tls-ca, and the address as the certificate has it"},
    {"Failed to create security handshaker", "the TLS files that were given cannot be used",
     "see which: fpoctl context show"},
    {"Failed parsing HTTP/2", "the server there is not a gRPC service",
     "is it the address of the status page? the services have one for each"},
    {"http1.x server", "the server there is not a gRPC service",
     "is it the address of the status page? the services have one for each"},
    {"Socket closed", "it closed the connection",
     "when it runs with TLS, name its CA with --tls-ca, and a certificate with --tls-cert and "
     "--tls-key if it wants one"},
    {"Connection reset", "it closed the connection",
     "when it runs with TLS, name its CA with --tls-ca"},
};

absl::Status Unreachable(const std::string& message, const CallSite& site) {
  std::string cause = Cause(message);
  std::string hint = absl::StrCat("start ", site.program, " or name its address with ", site.flag);
  for (const Trouble& trouble : kTroubles) {
    if (!absl::StrContains(message, trouble.said)) continue;
    cause = trouble.means;
    hint = trouble.hint;
    break;
  }
  return WithErrorInfo(
      absl::UnavailableError(
          absl::StrCat("the ", site.service, " at ", site.address, " cannot be reached: ", cause)),
      {.reason = ErrorReason::kUnreachable, .hint = hint});
}

}  // namespace

CallSite CoordinatorSite(const std::string& address, bool interrupted) {
  return {"coordinator", address, "--server or FPO_SERVER", "fpo-coordinator", interrupted};
}

CallSite CacheSite(const std::string& address, bool interrupted) {
  return {"cache", address, "--cache-server or FPO_CACHE_SERVER", "fpo-cache", interrupted};
}

absl::Status CallError(const grpc::Status& status, const CallSite& site) {
  if (status.ok()) return absl::OkStatus();
  if (site.interrupted) return InterruptedError();
  absl::Status error = FromGrpcStatus(status);
  if (GetErrorInfo(error)) return error;
  if (error.code() == absl::StatusCode::kUnavailable) {
    error = Unreachable(status.error_message(), site);
  } else if (error.code() == absl::StatusCode::kDeadlineExceeded) {
    error = absl::DeadlineExceededError(
        absl::StrCat("the ", site.service, " at ", site.address, " did not answer in time"));
    AttachErrorInfo(&error, {.reason = ErrorReason::kDeadline, .hint = "fpoctl health"});
  } else if (error.code() == absl::StatusCode::kUnimplemented) {
    error = absl::UnimplementedError(absl::StrCat("the server at ", site.address,
                                                  " does not know this call: it is not the ",
                                                  site.service, " or an older one"));
    AttachErrorInfo(&error,
                    {.reason = ErrorReason::kUnimplemented,
                     .hint = absl::StrCat("check ", site.flag, "; this is: fpoctl version")});
  }
  return error;
}

bool IsLost(const absl::Status& status) {
  // A stopping server cancels its streams.
  return status.code() == absl::StatusCode::kUnavailable ||
         ReasonOf(status) == ErrorReason::kBusy ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         (status.code() == absl::StatusCode::kCancelled &&
          ReasonOf(status) != ErrorReason::kInterrupted);
}

}  // namespace fpo::ctl
