#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

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
  // Each rank's bytes, by rank; `own` has one length on all ranks.
  virtual absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) = 0;
  virtual absl::Status Barrier() = 0;
};

}  // namespace fpo::train
