#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/core/job.h"
#include "server/core/moment.h"
#include "server/core/slot_offer.h"

namespace fpo::coordinator {

struct SchedulerOptions {
  // A job that all known workers together cannot hold is failed after this, never pending for ever.
  absl::Duration unsatisfiable_after = absl::Minutes(10);
};

// What one tick decided. Each waiting job is in exactly one list.
struct SchedulePlan {
  struct Placement {
    std::string job_id;
    std::vector<Member> members;  // first ranks follow each other
  };
  struct Reason {
    std::string job_id;
    std::string text;
  };
  std::vector<Placement> placements;
  std::vector<Reason> waits;
  std::vector<Reason> unsatisfiable;
};

// Places waiting jobs on free slots: all slots of a job at once or none. Strictly by queue order:
// while a job that fits the known workers waits for slots, no later job takes them, so a large job
// is not starved by small ones. Jobs in back-off and jobs that fit nowhere do not block others.
// Not thread-safe.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options) : options_(options) {}

  // `queued` in queue order; `offers` of all known workers, lost ones included.
  SchedulePlan Tick(const std::vector<const Job*>& queued, std::vector<SlotOffer> offers,
                    const Moment& now);

 private:
  const SchedulerOptions options_;
  std::map<std::string, absl::Time> unfit_since_;  // job id -> steady time
};

}  // namespace fpo::coordinator
