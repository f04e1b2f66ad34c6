#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace fpo::coordinator {

// Generates ids like "j-0n3k7q2c": milliseconds since 2025 in base 32, so that ids sort by age and
// fit a table. Unique and increasing within one store, even when the wall clock is set back. Not
// thread-safe.
class JobIdSource {
 public:
  // Notes an existing id; later ones are larger.
  void Saw(const std::string& job_id);
  std::string Next(absl::Time wall);

 private:
  int64_t last_ = -1;
};

}  // namespace fpo::coordinator
