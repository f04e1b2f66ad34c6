#pragma once

#include <string>
#include <vector>

#include "train/collective/process_group.h"

namespace fpo::train {

// The group of a run with one rank: no communication.
class SingleProcessGroup final : public ProcessGroup {
 public:
  int64_t rank() const override { return 0; }
  int64_t world() const override { return 1; }
  absl::Status Sum(std::vector<double>* values) override;
  absl::Status Sum(const std::vector<at::Tensor>& tensors) override;
  absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) override;
  absl::Status Barrier(absl::string_view what) override;
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllToAll(const at::Tensor& out,
                                                          const at::Tensor& in) override;
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllGather(const at::Tensor& all,
                                                           const at::Tensor& own) override;
  int64_t sent_bytes() const override { return 0; }
};

}  // namespace fpo::train
