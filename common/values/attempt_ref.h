#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace fpo {

// Identifies one attempt to run a job. The epoch only grows within a job; an attempt counts only
// while its epoch is the job's.
struct AttemptRef {
  std::string job_id;
  int32_t attempt = 0;  // from 1; 0: none yet
  uint64_t epoch = 0;

  auto operator<=>(const AttemptRef&) const = default;
};

// "job/attempt/epoch": the value of FPO_ATTEMPT in the environment of every rank.
inline std::string AttemptName(const AttemptRef& ref) {
  return absl::StrCat(ref.job_id, "/", ref.attempt, "/", ref.epoch);
}

// "a1-e1": the attempt's folder below its job's.
inline std::string AttemptFolder(const AttemptRef& ref) {
  return absl::StrCat("a", ref.attempt, "-e", ref.epoch);
}

}  // namespace fpo
