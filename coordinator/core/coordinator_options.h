#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/lines/log_retention.h"
#include "coordinator/core/scheduling/elastic_slots.h"
#include "coordinator/core/scheduling/owner_limits.h"
#include "coordinator/core/scheduling/slot_quota.h"

namespace fpo::coordinator {

struct CoordinatorOptions {
  absl::Duration heartbeat = absl::Seconds(2);  // interval of agents' heartbeats
  absl::Duration lease = absl::Seconds(15);     // a silent worker may act this long
  // After a start no lease expires and no attempt is replaced for this long: agents need time to
  // reconnect.
  absl::Duration reattach = absl::Seconds(60);
  absl::Duration reservation = absl::Seconds(60);   // all agents must accept within this
  absl::Duration cancel_grace = absl::Seconds(30);  // between SIGTERM and SIGKILL
  // Time for a paused or preempted attempt to write its checkpoint and stop.
  absl::Duration checkpoint_grace = absl::Minutes(2);
  std::vector<QuotaRule> quotas;  // of slots in use
  ElasticOptions elastic;         // of jobs with resources.min_slots
  // Of the configurations of all jobs, which are kept in memory; 0: any number.
  int64_t config_bytes_max = int64_t{512} << 20;
  int64_t owner_jobs_max = 0;                // of one owner that have not ended; 0: any number
  std::vector<OwnerLimitRule> owner_limits;  // of known callers that are no administrators
  absl::Duration unsatisfiable_after = absl::Minutes(10);
  absl::Duration forget_lost_after = absl::Hours(24);  // then they are no longer listed
  absl::Duration keep_requests = absl::Hours(24 * 7);  // a submit may be repeated this long
  absl::Duration keep_jobs = absl::ZeroDuration();     // jobs that ended; zero: forever
  LogLimits logs;
  // Jobs that are submitted without a trace get one of their own.
  bool traces = false;
  // Called after the end of a job, under the coordinator's lock: must return at once and not call
  // back.
  std::function<void(const JobPtr&)> on_job_end = nullptr;
};

}  // namespace fpo::coordinator
