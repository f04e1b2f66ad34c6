#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "train/collective/process_group.h"
#include "train/flags.h"

namespace fpo::train {

// The processes that train together, as the command line says; waits for them. One process is a
// group by itself. Fails with the exit code for usage or for a missing library.
absl::StatusOr<std::unique_ptr<ProcessGroup>> JoinRanks(const Flags& flags, at::Device device);

}  // namespace fpo::train
