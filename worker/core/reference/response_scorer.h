#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::worker {

// Computes reference records; `fpo-train score --serve` behind it. Not thread-safe.
class ResponseScorer {
 public:
  virtual ~ResponseScorer() = default;

  // Blocks until the model is loaded. Calling it again does nothing. Cancelled when stopped;
  // another error: the process could not start or ended.
  virtual absl::Status Start() = 0;
  // Writes the records of `ordinals` (positions in reference.keys), in that order, to `file`, and
  // says how many floating-point operations that took (0: unknown). `on_tick` is called about every
  // second, while the scorer is not taken for hung, with how many are computed.
  virtual absl::StatusOr<double> Score(const std::vector<int64_t>& ordinals,
                                       const std::string& file,
                                       const std::function<void(int64_t done)>& on_tick) = 0;
  // Ends the process in good order.
  virtual void Finish() = 0;
};

}  // namespace fpo::worker
