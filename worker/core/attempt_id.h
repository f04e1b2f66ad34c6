#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace fpo::worker {

// Names one try at running a job; the epoch only grows within a job.
struct AttemptId {
  std::string job_id;
  int32_t attempt = 0;
  uint64_t epoch = 0;

  bool operator==(const AttemptId&) const = default;
  auto operator<=>(const AttemptId&) const = default;
};

// "job/attempt/epoch": the value of FPO_ATTEMPT in the environment of every rank.
inline std::string AttemptName(const AttemptId& id) {
  return absl::StrCat(id.job_id, "/", id.attempt, "/", id.epoch);
}

// "a1-e1": the attempt's folder below its job's.
inline std::string AttemptFolder(const AttemptId& id) {
  return absl::StrCat("a", id.attempt, "-e", id.epoch);
}

}  // namespace fpo::worker
