#pragma once

#include <string>

#include "server/core/job.h"
#include "server/core/job_table.h"

namespace fpo::coordinator {

// What the jobs named by --after-ok mean for a job that waits.
struct DependencyState {
  enum class Kind { kMet, kWaiting, kImpossible };
  Kind kind = Kind::kMet;
  std::string why;  // names the first that has not succeeded; empty: all have
};

// Impossible when one of them ended without success: that job never succeeds any more, its retry is
// another job. One that is no longer known counts as met.
DependencyState DependenciesOf(const Job& job, const JobTable& jobs);

}  // namespace fpo::coordinator
