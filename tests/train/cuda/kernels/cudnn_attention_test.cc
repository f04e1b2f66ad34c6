// Asks cuDNN for plans of attention on an H200 without having one; nothing runs.

#include <string>

#include "gtest/gtest.h"
#include "train/cuda/cuda_library.h"

namespace fpo::train {
namespace {

// Its description as cuDNN 9.19 writes it, of the fields that it asks for.
[[maybe_unused]] constexpr char kH200[] =
    R"({"deviceName": "NVIDIA H200", "cudaDeviceId": 0, "deviceVer": 900, "driverVer": 13000,
        "totalGlobalMem": 150754820096, "maxGridSize": [2147483647, 65535, 65535],
        "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536, "multiProcessorCount": 132,
        "warpSize": 32, "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
        "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
        "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0,
        "supportCoopLaunch": 1, "smClockRateKHz": 1980000, "memClockRateKHz": 3201000,
        "l2CacheSize": 62914560})";

// Gemma-2-2B's two kinds of layers, and the last one, whose queries are fewer than its keys.
TEST(CudnnAttention, HasPlansForTheModelsShapes) {
#ifndef FPO_CUDA_LIBRARY
  GTEST_SKIP() << "libfpo_cuda.so was not built here: no nvcc";
#else
  std::string problem;
  const CudaTable* const table = OpenCudaLibrary(FPO_CUDA_LIBRARY, &problem);
  ASSERT_NE(table, nullptr) << problem;
  if (table->attention == nullptr) GTEST_SKIP() << "built without cuDNN's headers";
  for (const CudaAttentionShape& shape :
       {CudaAttentionShape{32, 1024, 1024, 8, 4, 256, 0.0625F, 50, 0},
        CudaAttentionShape{32, 1024, 1024, 8, 4, 256, 0.0625F, 50, 512},
        CudaAttentionShape{8, 128, 512, 8, 4, 256, 0.0625F, 50, 0}}) {
    const char* const why = table->attention->try_plan(shape, kH200, 90);
    const std::string text = why == nullptr ? "" : why;
    if (text.find("does not load") != std::string::npos) GTEST_SKIP() << text;
    if (text.find("libcuda == nullptr") != std::string::npos) GTEST_SKIP() << "no libcuda.so.1";
    EXPECT_EQ(text, "");
  }
#endif
}

}  // namespace
}  // namespace fpo::train
