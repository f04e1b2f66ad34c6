#include "worker/trainer/torch_status.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

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
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("tokens_per_microbatch"));
  EXPECT_TRUE(
      absl::IsResourceExhausted(RunTorch([]() -> absl::Status { throw std::bad_alloc(); })));
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
