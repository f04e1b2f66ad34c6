#pragma once

namespace fpo::train {

// Settings that CUDA libraries read from the environment when they are first used; values that are
// set already stay. Call before libtorch_cuda.so is loaded.
// - PYTORCH_ALLOC_CONF=expandable_segments:True: batches of ever-changing shapes do not fragment
// the
//   device's memory.
// - CUBLAS_WORKSPACE_CONFIG=:4096:8: cuBLAS sums in the same order each time.
// - CUDA_DEVICE_ORDER=PCI_BUS_ID: device n is the one that nvidia-smi and NVML call n.
void SetCudaEnvironment();

// Turns off what would change numbers without a word, whatever the environment asks for, and what
// differs between two runs: products of float32 in TF32, sums of bfloat16 and float16 products in
// less than float32, atomic sums, cuDNN's choice by timing. LibTorch then takes a deterministic
// kernel for each operation that has one and warns of each that has none. Affects CUDA only.
// Process-wide; call before the first kernel.
void UseExactCudaArithmetic();

}  // namespace fpo::train
