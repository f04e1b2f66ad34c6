#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/observe/metrics.h"
#include "coordinator/core/coordinator.h"

namespace fpo::coordinator {

// Exports the coordinator's state as metrics, read at each scrape. Series of a job exist only while
// it has an attempt, and only for a limited number of jobs. Thread-safe.
class CoordinatorMetrics {
 public:
  // Both outlive this; this outlives every scrape.
  CoordinatorMetrics(MetricsRegistry* registry, Coordinator* coordinator);

  void Refresh();

 private:
  // A counter that follows an increasing number.
  struct Follower {
    Counter counter;
    int64_t shown = 0;
  };
  using Followers = std::map<std::string, Follower>;
  using GaugesByName = std::map<std::string, Gauge>;

  void AddFollowers(const std::string& name, const std::string& help, const char* label,
                    Followers* followers);
  static void Follow(const std::map<std::string, int64_t>& counts, Followers* followers);
  void ShowJobs(const CoordinatorStats& stats) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ShowWorkers(const CoordinatorStats& stats) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ShowJob(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetJobGauge(const std::string& name, const Job& job, double value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetPhase(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveSeries(const std::string& label_value, std::map<std::string, GaugesByName>* series)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  MetricsRegistry* const registry_;
  Coordinator* const coordinator_;
  Histogram queue_wait_;
  Gauge read_only_;
  Gauge log_bytes_;

  absl::Mutex mu_;
  Followers submissions_ ABSL_GUARDED_BY(mu_);
  Followers attempts_ ABSL_GUARDED_BY(mu_);
  Followers lease_expirations_ ABSL_GUARDED_BY(mu_);
  Followers fencing_rejections_ ABSL_GUARDED_BY(mu_);
  Followers log_removed_ ABSL_GUARDED_BY(mu_);
  Followers checkpoint_corruptions_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Gauge> jobs_ ABSL_GUARDED_BY(mu_);                  // by state
  std::map<std::string, Gauge> workers_ ABSL_GUARDED_BY(mu_);               // by state
  std::map<std::string, Gauge> slots_ ABSL_GUARDED_BY(mu_);                 // by state
  std::map<std::string, GaugesByName> job_series_ ABSL_GUARDED_BY(mu_);     // by job
  std::map<std::string, std::string> job_phase_ ABSL_GUARDED_BY(mu_);       // by job
  std::map<std::string, GaugesByName> worker_series_ ABSL_GUARDED_BY(mu_);  // by worker
};

}  // namespace fpo::coordinator
