#include "train/collective/single_process_group.h"

#include <ATen/ATen.h>

namespace fpo::train {
namespace {

class NoTransfer final : public Transfer {
 public:
  absl::Status Wait() override { return absl::OkStatus(); }
};

}  // namespace

absl::Status SingleProcessGroup::Sum(std::vector<double>*) { return absl::OkStatus(); }
absl::Status SingleProcessGroup::Sum(const std::vector<at::Tensor>&) { return absl::OkStatus(); }
absl::StatusOr<std::vector<std::string>> SingleProcessGroup::AllGather(absl::string_view own) {
  return std::vector<std::string>{std::string(own)};
}
absl::Status SingleProcessGroup::Barrier(absl::string_view) { return absl::OkStatus(); }

absl::StatusOr<std::unique_ptr<Transfer>> SingleProcessGroup::StartAllToAll(const at::Tensor& out,
                                                                            const at::Tensor& in) {
  out.copy_(in);
  return std::make_unique<NoTransfer>();
}

absl::StatusOr<std::unique_ptr<Transfer>> SingleProcessGroup::StartAllGather(
    const at::Tensor& all, const at::Tensor& own) {
  all[0].copy_(own);
  return std::make_unique<NoTransfer>();
}

}  // namespace fpo::train
