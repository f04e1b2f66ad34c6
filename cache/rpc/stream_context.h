#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "cache/core/collection/garbage_collector.h"
#include "cache/core/records/reference_cache.h"
#include "cache/core/store/backups.h"
#include "cache/rpc/open_streams.h"
#include "cache/rpc/upstream.h"
#include "common/error_info.h"
#include "common/observe/metrics.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/work_pool.h"

namespace fpo::cache {

// What every stream of the service works with; outlives all of them.
struct StreamContext {
  ReferenceCache* cache = nullptr;
  WorkPool* pool = nullptr;
  OpenStreams* streams = nullptr;
  GarbageCollector* collector = nullptr;
  Backups* backups = nullptr;
  const AccessControl* access = nullptr;
  Upstream* upstream = nullptr;                     // null: this is no replica
  std::function<absl::Status()> verify_files = {};  // DataLoss: a table file is damaged
  absl::Duration idle_max = absl::Minutes(2);  // a peer that neither sends nor reads for so long
  // Memory that uploads took and freed again is counted here, for who gives it back to the system.
  std::atomic<int64_t>* freed_bytes = nullptr;
  Counter bytes_in = {};  // packed records
  Counter bytes_out = {};
  Histogram first_byte_seconds = {};  // of a pull, from the call to its first frame
};

// Busy: come back later.
inline absl::Status TooManyCalls() {
  return WithErrorInfo(absl::ResourceExhaustedError("the cache has too many calls to serve"),
                       {.reason = ErrorReason::kBusy, .hint = "retry after a second"});
}

// Cancels a call whose peer stopped sending or reading. The stream says when it waits for the peer.
class IdleWatch {
 public:
  IdleWatch(grpc::CallbackServerContext* call, absl::Duration idle_max)
      : call_(call), idle_max_(idle_max) {}

  void WaitsForPeer() { since_unix_ms_ = absl::ToUnixMillis(absl::Now()); }
  void PeerActed() { since_unix_ms_ = 0; }
  void Check(absl::Time now) {
    const int64_t since = since_unix_ms_;
    if (since == 0 || now - absl::FromUnixMillis(since) < idle_max_) return;
    call_->TryCancel();
  }

 private:
  grpc::CallbackServerContext* const call_;
  const absl::Duration idle_max_;
  std::atomic<int64_t> since_unix_ms_ = 0;  // 0: it is our turn
};

}  // namespace fpo::cache
