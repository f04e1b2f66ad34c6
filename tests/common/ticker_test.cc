#include "common/ticker.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"

namespace fpo {
namespace {

TEST(Ticker, TurnsUntilItIsStopped) {
  std::atomic<int> turns = 0;
  absl::Notification third;
  Ticker ticker(absl::Milliseconds(1), [&](absl::Time) {
    if (++turns == 3) third.Notify();
  });
  third.WaitForNotification();
  ticker.Stop();
  const int before = turns;
  EXPECT_GE(before, 3);
  ticker.Stop();
  EXPECT_EQ(turns, before);
}

TEST(Ticker, TellsWhenATurnDoesNotEnd) {
  absl::Notification begun, go_on;
  Ticker ticker(absl::Hours(1), [&](absl::Time) {
    begun.Notify();
    go_on.WaitForNotification();
  });
  begun.WaitForNotification();
  EXPECT_TRUE(ticker.CheckTurning(absl::Hours(1)).ok());
  EXPECT_TRUE(absl::IsUnavailable(ticker.CheckTurning(absl::ZeroDuration())));
  go_on.Notify();
}

TEST(Ticker, TurnsWhereverTheWallClockIs) {
  const fpo::testing::MovedWall moved(absl::Hours(1));
  EXPECT_TRUE(fpo::testing::EndsInTime([] {
    std::atomic<int> turns = 0;
    absl::Notification third;
    Ticker ticker(absl::Milliseconds(1), [&](absl::Time) {
      if (++turns == 3) third.Notify();
    });
    third.WaitForNotification();
  }));
}

}  // namespace
}  // namespace fpo
