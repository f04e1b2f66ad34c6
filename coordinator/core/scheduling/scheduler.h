#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/scheduling/elastic_slots.h"
#include "coordinator/core/scheduling/slot_offer.h"
#include "coordinator/core/scheduling/slot_quota.h"

namespace fpo::coordinator {

struct SchedulerOptions {
  // A job that all connected workers together cannot hold fails after this, instead of waiting
  // forever.
  absl::Duration unsatisfiable_after = absl::Minutes(10);
  std::vector<QuotaRule> quotas;
  ElasticOptions elastic = {};
};

// The input of one tick.
struct SchedulerInput {
  std::vector<const Job*> queued;  // in queue order
  std::vector<const Job*> with_attempt;
  std::vector<SlotOffer> offers;  // of all known workers, lost and closed ones included
  // Workers that hold a job's token and record files, by JobDemand::data_key; may be null.
  const std::map<std::string, std::set<std::string>>* files = nullptr;
  // Whether workers for the job may be started: then it waits for them. Empty: for none.
  std::function<bool(const Job&)> may_grow = {};
};

// The decisions of one tick. Each waiting job is in exactly one of the first three lists.
struct SchedulePlan {
  struct Placement {
    std::string job_id;
    std::vector<Member> members;  // first ranks follow each other
  };
  struct Reason {
    std::string job_id;
    std::string text;
  };
  struct Waiting {
    std::string job_id;
    WaitReason why;
  };
  std::vector<Placement> placements;
  std::vector<Waiting> waits;
  std::vector<Reason> unsatisfiable;
  std::vector<Reason> preemptions;  // running jobs that must make room, or are to get more slots
};

// Places waiting jobs on free slots: all slots of a job at once or none, by queue order. The first
// job that fits the known workers but not the free slots gets a reservation: later jobs take only
// slots that it does not need, so that narrow jobs do not starve a wide one. It also preempts
// running jobs of lower priority when that makes room. Jobs in back-off, over quota, or that fit
// nowhere do not block others. A job that may make do with fewer slots (elastic_slots.h) gets as
// many as it can, and is stopped to get the rest when those are free and no job waits. Not
// thread-safe.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options) : options_(std::move(options)) {}

  SchedulePlan Tick(const SchedulerInput& input, const Moment& now);

 private:
  class Pass;

  struct Reservation {
    std::string job_id;  // empty: none
    absl::Time since;    // wall clock
  };

  const SchedulerOptions options_;
  std::map<std::string, Moment> unfit_since_;  // by job id
  Reservation reservation_;
};

}  // namespace fpo::coordinator
