#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"

namespace fpo::train {

// The ranks of one run. Every call is collective: all ranks make the same calls in the same order.
// Sums add the ranks' parts in rank order, so that every rank gets the same bits and a repeated run
// gets them again. A lost peer is Aborted. Not thread-safe.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t world() const = 0;
  // In place, elementwise over the ranks.
  virtual absl::Status Sum(std::vector<double>* values) = 0;
  // Tensors of one floating dtype, with equal shapes on all ranks, in place.
  virtual absl::Status Sum(const std::vector<at::Tensor>& tensors) = 0;
  virtual absl::Status Barrier() = 0;
};

}  // namespace fpo::train
