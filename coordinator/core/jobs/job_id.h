#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace fpo::coordinator {

// Makes ids like "j-0n3k7q2c": milliseconds since 2025 in base 32, so ids sort by age and fit a
// table. Unique and growing within one store, also when the wall clock goes back. Not thread-safe.
class JobIdSource {
 public:
  // An id that exists already; the next ones are larger.
  void Saw(const std::string& job_id);
  std::string Next(absl::Time wall);

 private:
  int64_t last_ = -1;
};

}  // namespace fpo::coordinator
