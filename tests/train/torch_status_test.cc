#include "train/torch_status.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

TEST(TorchStatus, StatusesPassThrough) {
  EXPECT_TRUE(RunTorch([] { return absl::OkStatus(); }).ok());
  EXPECT_TRUE(absl::IsNotFound(RunTorch([] { return absl::NotFoundError("x"); })));
}

TEST(TorchStatus, OutOfMemoryIsNamedWithAWayOut) {
  const absl::Status status = RunTorch([] {
    at::empty({int64_t{1} << 50}, at::kFloat);
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("tokens_per_microbatch"));
  EXPECT_TRUE(
      absl::IsResourceExhausted(RunTorch([]() -> absl::Status { throw std::bad_alloc(); })));
}

TEST(TorchStatus, OnlyLackOfMemoryEndsAsMemory) {
  EXPECT_EQ(ExitCodeOf(RunTorch([]() -> absl::Status { throw std::bad_alloc(); })),
            ExitCode::kOutOfMemory);
  EXPECT_EQ(ExitCodeOf(RunTorch([] { return absl::ResourceExhaustedError("disk full"); })),
            ExitCode::kStorage);
}

TEST(TorchStatus, LibrariesOfTheDeviceRunOutOfMemoryToo) {
  for (const char* words :
       {"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "CUDA error: out of memory"}) {
    EXPECT_EQ(
        ExitCodeOf(RunTorch([words]() -> absl::Status { throw c10::Error(std::string(words)); })),
        ExitCode::kOutOfMemory)
        << words;
  }
  const auto nccl = [](const char* text) {
    return ExitCodeOf(RunTorch([text]() -> absl::Status {
      throw c10::DistBackendError(c10::SourceLocation{"f", "f.cc", 1}, text);
    }));
  };
  EXPECT_EQ(nccl("NCCL error in: x.cpp:1\nLast error:\nFailed to CUDA calloc 10485760 bytes"),
            ExitCode::kOutOfMemory);
  EXPECT_EQ(nccl("NCCL error in: x.cpp:1\nLast error:\nremote process exited"),
            ExitCode::kPeerLost);
}

TEST(TorchStatus, AFaultOfTheDeviceIsTheHostsAndOthersAreNot) {
  const auto code_of = [](const char* what) {
    return ExitCodeOf(RunTorch([what]() -> absl::Status { throw c10::Error(std::string(what)); }));
  };
  for (const char* fault :
       {"CUDA error: no CUDA-capable device is detected",
        "CUDA error: uncorrectable ECC error encountered",
        "CUDA error: CUDA driver version is insufficient for CUDA runtime version",
        "CUDA error: no kernel image is available for execution on the device",
        "No CUDA GPUs are available", "CUDA error: an illegal memory access was encountered",
        "CUDA error: unspecified launch failure"}) {
    EXPECT_EQ(code_of(fault), ExitCode::kDevice) << fault;
  }
  for (const char* bug : {"CUDA error: device-side assert triggered", "unknown error",
                          "mat1 and mat2 shapes cannot be multiplied"}) {
    EXPECT_EQ(code_of(bug), ExitCode::kBug) << bug;
  }
}

TEST(TorchStatus, OtherExceptionsAreBugsOnOneLine) {
  const absl::Status status = RunTorch([] {
    at::ones({2, 3}).matmul(at::ones({2, 3}));
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

}  // namespace
}  // namespace fpo::train
