#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// How long jobs took, to estimate how long others will take. Not thread-safe.
class RunTimes {
 public:
  void Note(const Job& succeeded);
  // The median of the last few that succeeded with the same kind, method, data and slots, else of
  // the same kind and method; nullopt when there were none.
  std::optional<absl::Duration> Usual(const Job& job) const;

 private:
  std::map<std::string, std::deque<absl::Duration>> times_;
};

// When a running job will end, from its pace (step_seconds) or from `usual`.
std::optional<absl::Time> EndEstimate(const Job& running, std::optional<absl::Duration> usual,
                                      absl::Time now);

}  // namespace fpo::coordinator
