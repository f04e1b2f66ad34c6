#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/observe/metrics.h"
#include "worker/core/device/gpu_watch.h"

namespace fpo::worker {

// Shows the GPUs of a worker's slots at each scrape. What the driver does not say has no series; a
// worker without GPUs, or whose driver does not answer, has none at all. Thread-safe.
class GpuMetrics {
 public:
  struct Source {
    GpuWatch* watch = nullptr;    // null: this worker uses no GPUs
    std::set<std::string> uuids;  // of the GPUs of its slots
    // UUIDs of those whose slot an attempt holds now; must not block.
    std::function<std::set<std::string>()> held;
  };
  // All outlive every scrape, as this does.
  GpuMetrics(MetricsRegistry* registry, Source source);

  void Refresh();

 private:
  using Series = std::pair<std::string, MetricLabels>;

  void Show(const GpuSample& sample, std::set<Series>* shown) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  MetricsRegistry* const registry_;
  const Source source_;
  std::optional<Gauge> answers_;  // none without GPUs
  absl::Mutex mutex_;
  std::map<Series, Gauge> gauges_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
