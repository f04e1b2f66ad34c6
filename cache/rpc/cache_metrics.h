#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/core/records/reference_cache.h"
#include "common/observe/metrics.h"
#include "common/rpc/server.h"

namespace fpo::cache {

// The cache's time series. What the cache counts itself is copied at each scrape.
class CacheMetrics {
 public:
  // The registry outlives it, the cache outlives every scrape.
  CacheMetrics(MetricsRegistry* registry, ReferenceCache* cache);

  Counter bytes_in() const { return bytes_in_; }
  Counter bytes_out() const { return bytes_out_; }
  Histogram first_byte_seconds() const { return first_byte_seconds_; }
  // For RpcServerOptions::on_handled. Thread-safe.
  void CountRequest(const HandledCall& call);

 private:
  void Refresh();
  void RefreshCounters(const CacheTotals& totals);

  MetricsRegistry* const registry_;
  ReferenceCache* const cache_;
  const Counter bytes_in_, bytes_out_;
  const Counter stored_, present_, conflict_, refused_;
  const Counter hits_, misses_;
  const Counter expirations_;
  const Counter read_corruptions_, scrub_corruptions_, manifest_corruptions_, file_corruptions_;
  const Counter scrubbed_records_, scrubbed_bytes_;
  const Counter removed_unused_, removed_evicted_, removed_orphaned_;
  const Counter saved_seconds_, saved_flops_;
  const Histogram first_byte_seconds_;
  const Gauge last_scrub_, quarantined_, pinned_bytes_, evict_limit_, reject_limit_;
  const Gauge claims_, claimed_keys_;
  const Gauge complete_, incomplete_, unknown_;
  const Gauge logical_bytes_, disk_bytes_;
  const Gauge records_, read_only_, free_bytes_;

  absl::Mutex mutex_;
  std::map<std::pair<std::string, int>, Counter> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
