#include "absl/status/status.h"
#include "train/collective/c10d_process_group.h"

namespace fpo::train {

absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinC10d(const C10dOptions&) {
  return absl::UnimplementedError(
      "this fpo-train was built without collectives: install libgloo-dev and build again, or train "
      "with one process");
}

}  // namespace fpo::train
