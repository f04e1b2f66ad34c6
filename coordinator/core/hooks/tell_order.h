#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Jobs that the operator's hooks may be told of, in the order in which they came to it.
struct JobsToTell {
  std::vector<std::pair<uint64_t, JobPtr>> jobs;  // with the revision at which they did
  uint64_t complete_to = 0;                       // there are no others up to this revision
};

// When each job that has ended or is held came to be so: a later change of it is no news. After a
// start that is the revision of its last change. Not thread-safe.
class TellOrder {
 public:
  void Note(const Job& job);
  void Forget(const std::string& job_id);
  // The ids of the first `jobs_max` jobs that came to it after that revision.
  std::vector<std::pair<uint64_t, std::string>> After(uint64_t revision, size_t jobs_max) const;

 private:
  struct Told {
    uint64_t revision = 0;
    JobState state = JobState::kQueued;
  };
  std::map<std::string, Told> told_;
  std::map<uint64_t, std::string> order_;
};

}  // namespace fpo::coordinator
