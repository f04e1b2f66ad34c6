#include "train/saving/side_write.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/observe/work.h"
#include "tests/train/support/heard_work.h"

namespace fpo::train {
namespace {

TEST(SideWrite, IsDoneWhenItHasReturned) {
  SideWrite side;
  EXPECT_FALSE(side.running());
  absl::Notification go;
  side.Start([&go] {
    go.WaitForNotification();
    return absl::DataLossError("disk");
  });
  EXPECT_TRUE(side.running());
  EXPECT_FALSE(side.done());
  go.Notify();
  EXPECT_EQ(side.Wait("writing"), absl::DataLossError("disk"));
  EXPECT_FALSE(side.running());
  side.Start([] { return absl::OkStatus(); });
  EXPECT_TRUE(side.Wait("writing").ok());
}

TEST(SideWrite, ExceptionsAreStatuses) {
  SideWrite side;
  side.Start([]() -> absl::Status { TORCH_CHECK(false, "no such tensor"); });
  EXPECT_NE(side.Wait("writing").message().find("no such tensor"), std::string::npos);
}

// What it held is memory that training may need.
TEST(SideWrite, HoldsNothingWhenItIsDone) {
  SideWrite side;
  auto copy = std::make_shared<int>(1);
  const std::weak_ptr<int> held = copy;
  side.Start([copy = std::move(copy)] { return absl::OkStatus(); });
  ASSERT_TRUE(side.Wait("writing").ok());
  EXPECT_TRUE(held.expired());
}

TEST(SideWrite, ACopyDoesNotFollowItsOriginal) {
  const at::Tensor original = at::ones({3});
  const at::Tensor copy = HostCopy(original);
  original.fill_(2);
  EXPECT_TRUE(at::equal(copy, at::ones({3})));
}

}  // namespace
}  // namespace fpo::train
