#include "coordinator/core/jobs/job_retention.h"

#include <algorithm>
#include <set>
#include <utility>

namespace fpo::coordinator {

std::vector<std::string> JobsToRemove(const JobTable& jobs, absl::Duration keep, absl::Time now,
                                      size_t limit) {
  if (keep <= absl::ZeroDuration()) return {};
  std::set<std::string> wanted;
  std::vector<std::pair<absl::Time, std::string>> old;
  for (const JobPtr& job : jobs.All()) {
    if (!IsTerminal(job->state)) {
      wanted.insert(job->after_ok.begin(), job->after_ok.end());
      wanted.insert(job->after_end.begin(), job->after_end.end());
    } else if (job->ended && now - *job->ended > keep) {
      old.emplace_back(*job->ended, job->job_id);
    }
  }
  std::sort(old.begin(), old.end());
  std::vector<std::string> chosen;
  for (const auto& [ended, id] : old) {
    if (chosen.size() == limit) break;
    if (wanted.count(id) == 0) chosen.push_back(id);
  }
  return chosen;
}

}  // namespace fpo::coordinator
