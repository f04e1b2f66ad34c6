#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::worker {

// Computes reference records, by `fpo-train score --serve`. Not thread-safe.
class ResponseScorer {
 public:
  virtual ~ResponseScorer() = default;

  // Blocks until the model is loaded. Idempotent. Cancelled when stopped; other errors: the process
  // could not start, or ended.
  virtual absl::Status Start() = 0;
  // Writes the records of `ordinals` (positions in reference.keys), in that order, to `file`, and
  // returns the floating-point operations that took (0: unknown). `on_tick` is called about every
  // second with the number computed, as long as the scorer is not considered hung.
  virtual absl::StatusOr<double> Score(const std::vector<int64_t>& ordinals,
                                       const std::string& file,
                                       const std::function<void(int64_t done)>& on_tick) = 0;
  // Ends the process gracefully.
  virtual void Finish() = 0;
};

}  // namespace fpo::worker
