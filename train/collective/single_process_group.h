#pragma once

#include <vector>

#include "train/collective/process_group.h"

namespace fpo::train {

// One rank: nothing to do.
class SingleProcessGroup final : public ProcessGroup {
 public:
  int64_t rank() const override { return 0; }
  int64_t world() const override { return 1; }
  absl::Status Sum(std::vector<double>* values) override;
  absl::Status Sum(const std::vector<at::Tensor>& tensors) override;
  absl::Status Barrier() override;
};

}  // namespace fpo::train
