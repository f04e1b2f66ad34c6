#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <chrono>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/error_info.h"

namespace fpo {

inline constexpr absl::Duration kUnaryDeadline = absl::Seconds(10);

inline void SetDeadline(grpc::ClientContext* context, absl::Duration timeout) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

// A call that may wait forever is a bug of the caller: servers reject unary calls without a
// deadline.
inline absl::Status RequireDeadline(const grpc::ServerContextBase& context) {
  if (context.deadline() < std::chrono::system_clock::now() + std::chrono::hours(24)) {
    return absl::OkStatus();
  }
  return WithErrorInfo(
      absl::InvalidArgumentError("the call has no deadline; unary calls need one within 24 hours"),
      {.reason = ErrorReason::kNoDeadline, .hint = "set a deadline, normally 10 s"});
}

}  // namespace fpo
