#include "train/cuda/cuda_library.h"

#include <ATen/ATen.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/cuda/serial_table.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

TEST(CudaLibrary, SaysThatItIsMissing) {
  std::string problem;
  EXPECT_EQ(OpenCudaLibrary("/nowhere/libfpo_cuda.so", &problem), nullptr);
  EXPECT_THAT(problem, ::testing::HasSubstr("/nowhere/libfpo_cuda.so"));
  EXPECT_THAT(problem, ::testing::HasSubstr("nvcc"));
}

TEST(CudaLibrary, SaysThatItIsOfAnotherVersion) {
  std::string problem;
  EXPECT_EQ(OpenCudaLibrary(FPO_OLD_CUDA_LIBRARY, &problem), nullptr);
  EXPECT_THAT(problem, ::testing::HasSubstr("needs version"));
}

// Opening needs no GPU; a call then says that there is none.
TEST(CudaLibrary, OpensAndReportsWhatTheDriverSays) {
#ifndef FPO_CUDA_LIBRARY
  GTEST_SKIP() << "libfpo_cuda.so was not built here: no nvcc";
#else
  std::string problem;
  const CudaTable* const table = OpenCudaLibrary(FPO_CUDA_LIBRARY, &problem);
  ASSERT_NE(table, nullptr) << problem;
  EXPECT_EQ(table->version, kCudaTableVersion);
  if (at::globalContext().hasCUDA()) return;
  CudaClip call = {};
  const char* const why = table->clip(call, nullptr);
  ASSERT_NE(why, nullptr);
  EXPECT_THROW(ThrowUnlessQueued(why, "clip"), c10::Error);
#endif
}

TEST(CudaLibrary, ServesNoTensorOfThisProcessor) {
  EXPECT_EQ(CudaKernelsOf(at::zeros({1})), nullptr);
  const CudaTableInScope scope(SerialCudaTable());
  EXPECT_EQ(CudaKernelsOf(at::zeros({1})), &SerialCudaTable());
  EXPECT_EQ(CudaKernelsOf(at::zeros({1}, at::kDouble)), nullptr);
  EXPECT_EQ(CudaKernelsOf(at::zeros({1}, at::kHalf)), nullptr);
  const FastPathsInScope off(FastPaths::None());
  EXPECT_EQ(CudaKernelsOf(at::zeros({1})), nullptr);
}

}  // namespace
}  // namespace fpo::train
