#include "train/collective/single_process_group.h"

namespace fpo::train {

absl::Status SingleProcessGroup::Sum(std::vector<double>*) { return absl::OkStatus(); }
absl::Status SingleProcessGroup::Sum(const std::vector<at::Tensor>&) { return absl::OkStatus(); }
absl::StatusOr<std::vector<std::string>> SingleProcessGroup::AllGather(absl::string_view own) {
  return std::vector<std::string>{std::string(own)};
}
absl::Status SingleProcessGroup::Barrier(absl::string_view) { return absl::OkStatus(); }

}  // namespace fpo::train
