#include "worker/core/idle_exit.h"

#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

constexpr absl::Duration kAfter = absl::Minutes(10);
const absl::Time kStart = absl::UnixEpoch();

TEST(IdleExit, AsksOnceSoLongWithoutWork) {
  IdleExit idle(kAfter, kStart);
  EXPECT_FALSE(idle.IsDue(true, kStart));
  EXPECT_FALSE(idle.IsDue(false, kStart + absl::Minutes(1)));
  EXPECT_FALSE(idle.IsDue(false, kStart + absl::Minutes(11) - absl::Milliseconds(1)));
  EXPECT_TRUE(idle.IsDue(false, kStart + absl::Minutes(11)));
  EXPECT_FALSE(idle.IsDue(false, kStart + absl::Minutes(11) + absl::Seconds(1)));
  EXPECT_EQ(idle.why(), "idle for 10m");
}

TEST(IdleExit, WorkBeginsTheWaitAnew) {
  IdleExit idle(kAfter, kStart);
  EXPECT_FALSE(idle.IsDue(false, kStart));
  EXPECT_FALSE(idle.IsDue(true, kStart + absl::Minutes(9)));
  EXPECT_FALSE(idle.IsDue(false, kStart + absl::Minutes(10)));
  EXPECT_TRUE(idle.IsDue(false, kStart + absl::Minutes(20)));
}

TEST(IdleExit, AsksAgainInANewSessionAndWhileNobodyAnswers) {
  IdleExit idle(kAfter, kStart);
  EXPECT_FALSE(idle.IsDue(false, kStart));
  EXPECT_TRUE(idle.IsDue(false, kStart + kAfter));
  idle.OnContact(kStart + kAfter);
  EXPECT_TRUE(idle.IsDue(false, kStart + kAfter));
  EXPECT_TRUE(idle.IsDue(false, kStart + kAfter + absl::Minutes(1)));
}

TEST(IdleExit, WithoutACoordinatorItWaitsForOneAsLong) {
  IdleExit idle(kAfter, kStart);
  EXPECT_FALSE(idle.IsForgotten(false, kStart));
  idle.OnContact(kStart + absl::Minutes(9));
  EXPECT_FALSE(idle.IsForgotten(false, kStart + kAfter));
  EXPECT_FALSE(idle.IsForgotten(true, kStart + absl::Minutes(19)));
  EXPECT_FALSE(idle.IsForgotten(false, kStart + absl::Minutes(20)));
  EXPECT_TRUE(idle.IsForgotten(false, kStart + absl::Minutes(30)));
}

TEST(IdleExit, ZeroIsNever) {
  IdleExit idle(absl::ZeroDuration(), kStart);
  EXPECT_FALSE(idle.IsDue(false, kStart));
  EXPECT_FALSE(idle.IsDue(false, kStart + absl::Hours(1000)));
  EXPECT_FALSE(idle.IsForgotten(false, kStart + absl::Hours(1000)));
}

}  // namespace
}  // namespace fpo::worker
