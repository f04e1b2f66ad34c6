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
#include "cache/rpc/bucket_tier.h"
#include "cache/rpc/upstream.h"
#include "common/observe/metrics.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/streams/idle_watch.h"
#include "common/rpc/streams/open_streams.h"
#include "common/rpc/unary_call.h"
#include "common/rpc/work_pool.h"

namespace fpo::cache {

// What all streams of the service share; outlives them.
struct StreamContext {
  ReferenceCache* cache = nullptr;
  WorkPool* pool = nullptr;
  OpenStreams* streams = nullptr;
  GarbageCollector* collector = nullptr;
  Backups* backups = nullptr;
  const AccessControl* access = nullptr;
  Upstream* upstream = nullptr;                     // null: not a replica
  WorkPool* transfers = nullptr;                    // what waits for the upstream; null: no replica
  BucketTier* bucket = nullptr;                     // null: no --bucket
  std::function<absl::Status()> verify_files = {};  // DataLoss: a table file is damaged
  absl::Duration idle_max = absl::Minutes(2);       // for a peer that neither sends nor reads
  // Counts memory that uploads took and freed, so that it can be returned to the system.
  std::atomic<int64_t>* freed_bytes = nullptr;
  Counter bytes_in = {};  // packed records
  Counter bytes_out = {};
  Histogram first_byte_seconds = {};  // of a pull, from the call to its first frame
};

// The pool has no room for a new stream.
inline absl::Status CacheIsBusy() { return TooManyCalls("the cache"); }

}  // namespace fpo::cache
