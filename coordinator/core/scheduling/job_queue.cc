#include "coordinator/core/scheduling/job_queue.h"

namespace fpo::coordinator {

void JobQueue::Add(const Job& job) {
  Remove(job.job_id);
  Place place(-job.demand.priority, job.submitted, job.job_id);
  order_.insert(place);
  places_.emplace(job.job_id, std::move(place));
}

void JobQueue::Remove(const std::string& job_id) {
  const auto it = places_.find(job_id);
  if (it == places_.end()) return;
  order_.erase(it->second);
  places_.erase(it);
}

std::vector<std::string> JobQueue::InOrder() const {
  std::vector<std::string> ids;
  ids.reserve(order_.size());
  for (const Place& place : order_) ids.push_back(std::get<2>(place));
  return ids;
}

}  // namespace fpo::coordinator
