#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "train/collective/process_group.h"

namespace fpo::train {

// A rank of several whose peers add nothing and show what it shows.
class LoneRank : public ProcessGroup {
 public:
  LoneRank(int64_t rank, int64_t world) : rank_(rank), world_(world) {}
  int64_t rank() const override { return rank_; }
  int64_t world() const override { return world_; }
  absl::Status Sum(std::vector<double>*) override { return absl::OkStatus(); }
  absl::Status Sum(const std::vector<at::Tensor>&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) override {
    return std::vector<std::string>(static_cast<size_t>(world_), std::string(own));
  }
  absl::Status Barrier(absl::string_view) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllToAll(const at::Tensor&,
                                                          const at::Tensor&) override {
    return absl::UnimplementedError("a lone rank exchanges nothing");
  }
  absl::StatusOr<std::unique_ptr<Transfer>> StartAllGather(const at::Tensor&,
                                                           const at::Tensor&) override {
    return absl::UnimplementedError("a lone rank gathers nothing");
  }
  int64_t sent_bytes() const override { return 0; }

 private:
  const int64_t rank_;
  const int64_t world_;
};

}  // namespace fpo::train
