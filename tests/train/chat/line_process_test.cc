#include "train/chat/line_process.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace fpo::train {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

TEST(LineProcessTest, AnswersLines) {
  auto cat = LineProcess::Start({"cat"});
  ASSERT_TRUE(cat.ok()) << cat.status();
  EXPECT_EQ(*cat->Exchange("hi", kLong, 100), "hi");
  const std::string big(3 << 20, 'x');
  // cat answers while it still reads, so the line must fit its buffers; a shell reads it whole.
  auto shell = LineProcess::Start({"sh", "-c", "while read -r line; do echo ${#line}; done"});
  EXPECT_EQ(*shell->Exchange(big.substr(0, 100000), kLong, 100), "100000");
}

TEST(LineProcessTest, GetsNoDescriptorsAndNoEnvironment) {
  setenv("FPO_SECRET", "x", 1);
  auto shell = LineProcess::Start(
      {"sh", "-c", "read line; echo $FPO_SECRET $(ls /proc/self/fd | tr '\\n' ' ')"});
  ASSERT_TRUE(shell.ok());
  // 3 is ls's own.
  EXPECT_EQ(*shell->Exchange("", kLong, 100), "0 1 2 3");
}

TEST(LineProcessTest, EndsSlowAndDeadAndTalkativeOnes) {
  auto slow = LineProcess::Start({"sleep", "60"});
  EXPECT_TRUE(absl::IsDeadlineExceeded(slow->Exchange("x", absl::Milliseconds(20), 100).status()));
  auto dead = LineProcess::Start({"true"});
  EXPECT_TRUE(absl::IsUnavailable(dead->Exchange("x", kLong, 100).status()));
  EXPECT_TRUE(absl::IsUnavailable(dead->Exchange("x", kLong, 100).status()));
  auto talkative = LineProcess::Start({"yes", "y y"});
  LineProcess moved = *std::move(talkative);
  auto endless = LineProcess::Start({"cat", "/dev/zero"});
  EXPECT_TRUE(absl::IsResourceExhausted(endless->Exchange("x", kLong, 1 << 20).status()));
  EXPECT_TRUE(absl::IsNotFound(LineProcess::Start({"no-such-program-here"}).status()));
}

}  // namespace
}  // namespace fpo::train
