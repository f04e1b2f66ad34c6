#pragma once

#include <c10/core/Device.h>

#include <string>

#include "absl/status/statusor.h"

namespace fpo::train {

struct KernelChoice {
  c10::Device device;
  bool plain = false;            // no FastPaths (train/ops/fast_paths.h)
  bool fused_attention = false;  // FastPaths::fused_attention
};

// Sets the FastPaths, before the first computation. Kernels for a GPU are compared with LibTorch's
// operators first. Returns a warning for the user, or "": on this GPU those operators compute
// alone. An error of ExitCode::kDevice where fused attention cannot be had.
absl::StatusOr<std::string> ChooseKernels(const KernelChoice& choice);

}  // namespace fpo::train
