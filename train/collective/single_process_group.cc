#include "train/collective/single_process_group.h"

namespace fpo::train {

absl::Status SingleProcessGroup::Sum(std::vector<double>*) { return absl::OkStatus(); }
absl::Status SingleProcessGroup::Sum(const std::vector<at::Tensor>&) { return absl::OkStatus(); }
absl::Status SingleProcessGroup::Barrier() { return absl::OkStatus(); }

}  // namespace fpo::train
