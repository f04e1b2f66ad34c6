#pragma once

#include <functional>
#include <vector>

#include "common/job/job_config.h"
#include "common/plan/run_plan.h"

namespace fpo::train {

// The memory of a changed job.
using PlanOf = std::function<std::vector<PhaseMemory>(const JobConfig& job)>;

struct ChangeTarget {
  bool on_device = false;  // the memory that is to be lowered
  int64_t layers = 0;      // of the model
};

// The settings of a job that would lower its memory, each by itself, in order of least harm: first
// those that change no number, then those that cost time, then those that train something else.
// What does not lower it is left out.
std::vector<PlanChange> ChangesFor(const JobConfig& job, const ChangeTarget& target,
                                   const PlanOf& plan);

}  // namespace fpo::train
