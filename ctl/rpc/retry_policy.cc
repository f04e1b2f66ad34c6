#include "ctl/rpc/retry_policy.h"

#include <optional>

#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/rpc/grpc_status.h"

namespace fpo::ctl {
namespace {

// The server did not say this itself, or said that another one leads.
bool IsOfTheConnection(const grpc::Status& status) {
  const auto info = GetErrorInfo(FromGrpcStatus(status));
  if (info) return info->reason == ErrorReason::kNotLeader;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

}  // namespace

grpc::Status RetryPolicy::Call(const Interrupt& interrupt,
                               const std::function<grpc::Status()>& call) {
  ReconnectPolicy policy(options_);
  if (*answered_) policy.Answered();
  for (;;) {
    const grpc::Status status = call();
    if (!IsOfTheConnection(status)) {
      if (status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) *answered_ = true;
      return status;
    }
    const std::optional<absl::Duration> wait = policy.NextWait(BootNow());
    if (!wait || interrupt.WaitFor(*wait)) return status;
    if (channel_) grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  }
}

}  // namespace fpo::ctl
