#define FPO_FAILPOINTS 1
#include "common/failpoint.h"

#include <signal.h>

#include "gtest/gtest.h"

namespace fpo {
namespace {

absl::Status Step() {
  FPO_FAILPOINT("test.step");
  return absl::OkStatus();
}

class FailpointTest : public ::testing::Test {
 protected:
  ~FailpointTest() override { DisarmFailpoints(); }
};

TEST_F(FailpointTest, DoesNothingUntilArmed) {
  EXPECT_TRUE(Step().ok());
  ASSERT_TRUE(ArmFailpoint("test.other=error").ok());
  EXPECT_TRUE(Step().ok());
}

TEST_F(FailpointTest, FailsFromTheNthHitOn) {
  ASSERT_TRUE(ArmFailpoint("test.step=error@3").ok());
  EXPECT_TRUE(Step().ok());
  EXPECT_TRUE(Step().ok());
  EXPECT_TRUE(absl::IsUnavailable(Step()));
  EXPECT_TRUE(absl::IsUnavailable(Step()));
  DisarmFailpoints();
  EXPECT_TRUE(Step().ok());
}

TEST_F(FailpointTest, KillsTheProcessAtTheNthHit) {
  const auto die = [] {
    (void)ArmFailpoint("test.step=kill@2");
    (void)Step();
    (void)Step();
  };
  EXPECT_EXIT(die(), ::testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FailpointTest, RefusesWhatItDoesNotKnow) {
  for (const char* spec : {"", "=kill", "a", "a=explode", "a=kill@0", "a=kill@x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ArmFailpoint(spec))) << spec;
  }
}

}  // namespace
}  // namespace fpo
