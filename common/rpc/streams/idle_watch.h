#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace fpo {

// Cancels a call whose peer stopped sending or reading. The stream says when it waits for the peer,
// its server's tick checks. Without a call it watches nothing. Thread-safe.
class IdleWatch {
 public:
  IdleWatch(grpc::CallbackServerContext* call, absl::Duration idle_max)
      : call_(call), idle_max_(idle_max) {}

  void WaitsForPeer() { since_unix_ms_ = absl::ToUnixMillis(BootNow()); }
  void PeerActed() { since_unix_ms_ = 0; }
  void Check(absl::Time now) {
    const int64_t since = since_unix_ms_;
    if (since == 0 || now - absl::FromUnixMillis(since) < idle_max_) return;
    if (call_ != nullptr) call_->TryCancel();
  }

 private:
  grpc::CallbackServerContext* const call_;
  const absl::Duration idle_max_;
  std::atomic<int64_t> since_unix_ms_ = 0;  // 0: not waiting for the peer
};

}  // namespace fpo
