#include "train/cuda_settings.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace fpo::train {
namespace {

TEST(CudaSettings, ArithmeticIsExactWhateverWasSet) {
  at::Context& context = at::globalContext();
  const bool before = context.deterministicAlgorithms();
  context.setAllowTF32CuBLAS(true);
  context.setAllowTF32CuDNN(true);
  context.setAllowBF16ReductionCuBLAS(true);
  context.setAllowFP16ReductionCuBLAS(true);
  UseExactCudaArithmetic();
  EXPECT_FALSE(context.allowTF32CuBLAS());
  EXPECT_FALSE(context.allowTF32CuDNN());
  EXPECT_EQ(context.allowBF16ReductionCuBLAS(),
            at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK);
  EXPECT_TRUE(context.deterministicAlgorithms());
  EXPECT_TRUE(context.deterministicAlgorithmsWarnOnly());
  EXPECT_TRUE(context.deterministicCuDNN());
  EXPECT_FALSE(context.benchmarkCuDNN());
  EXPECT_FALSE(context.deterministicFillUninitializedMemory());
  context.setDeterministicAlgorithms(before, false);
}

TEST(CudaSettings, WhatTheUserSetStays) {
  unsetenv("PYTORCH_CUDA_ALLOC_CONF");
  unsetenv("PYTORCH_ALLOC_CONF");
  unsetenv("CUDA_DEVICE_ORDER");
  setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
  SetCudaEnvironment();
  EXPECT_EQ(std::string(std::getenv("CUBLAS_WORKSPACE_CONFIG")), ":16:8");
  EXPECT_EQ(std::string(std::getenv("PYTORCH_ALLOC_CONF")), "expandable_segments:True");
  EXPECT_EQ(std::string(std::getenv("CUDA_DEVICE_ORDER")), "PCI_BUS_ID");
  setenv("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64", 1);
  unsetenv("PYTORCH_ALLOC_CONF");
  SetCudaEnvironment();
  EXPECT_EQ(std::getenv("PYTORCH_ALLOC_CONF"), nullptr) << "both would contradict each other";
}

}  // namespace
}  // namespace fpo::train
