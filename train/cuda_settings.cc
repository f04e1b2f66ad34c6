#include "train/cuda_settings.h"

#include <ATen/Context.h>
#include <c10/util/env.h>

#include <cstdlib>

namespace fpo::train {

void SetCudaEnvironment() {
  constexpr int kKeep = 0;
  // The older name counts where it is set.
  if (!c10::utils::has_env("PYTORCH_CUDA_ALLOC_CONF")) {
    setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True", kKeep);
  }
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", kKeep);
  setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", kKeep);
}

void UseExactCudaArithmetic() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace fpo::train
