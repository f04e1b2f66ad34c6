#pragma once

#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/observe/metrics.h"
#include "common/train_protocol.h"
#include "common/values/end_class.h"

namespace fpo::worker {

// The agent's time series. Thread-safe.
class AgentMetrics {
 public:
  explicit AgentMetrics(MetricsRegistry* registry);

  // Steps, pairs, tokens and waits of a rank's `step` event.
  void OnTrainEvent(const TrainEvent& event);
  void OnRankExit(EndClass end_class);
  void SetSlots(int used, int total);

  Counter records_computed;
  Counter records_pulled;
  Counter log_gap_bytes;
  Counter not_finite;
  Gauge log_spool_bytes;
  Gauge connected;
  Gauge wrong_store;

 private:
  MetricsRegistry* const registry_;
  Histogram step_seconds_;
  Counter pairs_;
  Counter tokens_;
  Counter cache_wait_seconds_;
  Gauge slots_used_;
  Gauge slots_free_;
  absl::Mutex mutex_;
  std::map<EndClass, Counter> rank_exits_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
