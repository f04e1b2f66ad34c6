#include "coordinator/core/hooks/tell_order.h"

namespace fpo::coordinator {

void TellOrder::Forget(const std::string& job_id) {
  const auto told = told_.find(job_id);
  if (told == told_.end()) return;
  order_.erase(told->second.revision);
  told_.erase(told);
}

void TellOrder::Note(const Job& job) {
  const auto told = told_.find(job.job_id);
  if (told != told_.end() && told->second.state == job.state) return;
  Forget(job.job_id);
  if (!IsTerminal(job.state) && job.state != JobState::kHeld) return;
  told_[job.job_id] = {job.revision, job.state};
  order_[job.revision] = job.job_id;
}

std::vector<std::pair<uint64_t, std::string>> TellOrder::After(uint64_t revision,
                                                               size_t jobs_max) const {
  std::vector<std::pair<uint64_t, std::string>> found;
  for (auto it = order_.upper_bound(revision); it != order_.end() && found.size() < jobs_max;
       ++it) {
    found.emplace_back(*it);
  }
  return found;
}

}  // namespace fpo::coordinator
