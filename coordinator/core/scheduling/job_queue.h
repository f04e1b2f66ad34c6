#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// The waiting jobs, by priority, then age. A job that returns after a failed attempt keeps the age
// of its submit. Not thread-safe.
class JobQueue {
 public:
  void Add(const Job& job);  // a repeated call updates the priority
  void Remove(const std::string& job_id);
  std::vector<std::string> InOrder() const;  // ids, first to run first
  size_t size() const { return order_.size(); }

 private:
  using Place = std::tuple<int64_t, absl::Time, std::string>;  // -priority, submitted, id

  std::set<Place> order_;
  std::map<std::string, Place> places_;
};

}  // namespace fpo::coordinator
