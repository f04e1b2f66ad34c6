#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "ctl/interrupt.h"
#include "ctl/rpc/reconnect_policy.h"

namespace fpo::ctl {

// Calls a server that may be replaced meanwhile. Once it has answered, a call that is lost, or that
// a stopping server cancelled, is retried for a while; before that, errors are returned at once:
// the address is wrong or nothing runs there. A call may be executed twice, so calls that change
// something carry a request id or are idempotent. Thread-safe; copies share their state.
class RetryPolicy {
 public:
  static constexpr ReconnectOptions kWhileReplaced = {.first_wait = absl::Milliseconds(100),
                                                      .wait_max = absl::Seconds(1),
                                                      .give_up_after = absl::Seconds(10)};
  // Among several coordinators: until a standby has taken the lead.
  static constexpr ReconnectOptions kWhileElected = {.first_wait = absl::Milliseconds(100),
                                                     .wait_max = absl::Seconds(1),
                                                     .give_up_after = absl::Seconds(30)};
  // `channel`, if given, is redialled for each try instead of keeping its own, longer pauses.
  explicit RetryPolicy(std::shared_ptr<grpc::Channel> channel,
                       ReconnectOptions options = kWhileReplaced, bool answered = false)
      : channel_(std::move(channel)),
        options_(options),
        answered_(std::make_shared<std::atomic<bool>>(answered)) {}

  // The last status of `call`; an interrupt ends the waiting.
  grpc::Status Call(const Interrupt& interrupt, const std::function<grpc::Status()>& call);

 private:
  std::shared_ptr<grpc::Channel> channel_;
  ReconnectOptions options_;
  std::shared_ptr<std::atomic<bool>> answered_;
};

}  // namespace fpo::ctl
