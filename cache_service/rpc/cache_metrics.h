#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache_service/store/reference_cache.h"
#include "common/metrics.h"
#include "common/rpc/server.h"

namespace fpo::cache {

// The cache's time series. What the cache counts itself is copied when somebody scrapes.
class CacheMetrics {
 public:
  // The registry outlives it, the cache outlives every scrape.
  CacheMetrics(MetricsRegistry* registry, const ReferenceCache* cache);

  Counter bytes_in() const { return bytes_in_; }
  Counter bytes_out() const { return bytes_out_; }
  // For RpcServerOptions::on_handled. Thread-safe.
  void CountRequest(const HandledCall& call);

 private:
  void Refresh();

  MetricsRegistry* const registry_;
  const ReferenceCache* const cache_;
  const Counter bytes_in_, bytes_out_;
  const Counter stored_, present_, conflict_, refused_;
  const Counter expirations_, corruptions_;
  const Gauge claims_, claimed_keys_;
  const Gauge complete_, incomplete_, unknown_;
  const Gauge logical_bytes_, disk_bytes_;
  const Gauge records_, read_only_, free_bytes_;

  absl::Mutex mutex_;
  std::map<std::pair<std::string, int>, Counter> requests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
