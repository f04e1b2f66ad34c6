#include "common/waits/steady_wait.h"

#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "gtest/gtest.h"
#include "tests/common/waits/moved_wall.h"

namespace fpo {
namespace {

struct Flag {
  absl::Mutex mutex;
  bool is_up ABSL_GUARDED_BY(mutex) = false;

  bool Await(absl::Duration timeout) {
    absl::MutexLock lock(&mutex);
    return AwaitFor(&mutex, absl::Condition(&is_up), timeout);
  }
  void Raise() {
    absl::MutexLock lock(&mutex);
    is_up = true;
  }
};

TEST(SteadyWait, EndsWhenTheConditionHolds) {
  Flag flag;
  std::thread other([&] { flag.Raise(); });
  EXPECT_TRUE(flag.Await(absl::Hours(1)));
  EXPECT_TRUE(flag.Await(absl::ZeroDuration()));
  EXPECT_TRUE(flag.Await(absl::InfiniteDuration()));
  other.join();
}

TEST(SteadyWait, EndsAfterItsTimeWhereverTheWallClockIs) {
  for (const absl::Duration by : {absl::ZeroDuration(), absl::Hours(1), -absl::Hours(1)}) {
    const fpo::testing::MovedWall moved(by);
    const auto flag = std::make_shared<Flag>();
    const absl::Time begin = BootNow();
    EXPECT_TRUE(fpo::testing::EndsInTime([flag] { flag->Await(absl::Milliseconds(20)); })) << by;
    EXPECT_GE(BootNow() - begin, absl::Milliseconds(20)) << by;
  }
  Flag never;
  EXPECT_FALSE(never.Await(absl::ZeroDuration()));
  EXPECT_FALSE(never.Await(-absl::Seconds(1)));
}

// Some end by their time, some by the condition, many by both at once.
TEST(SteadyWait, ManyWaitsAndTheirEndsMeet) {
  constexpr int kRounds = 300;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < kRounds; ++i) {
        Flag flag;
        std::thread other([&] {
          absl::SleepFor(absl::Microseconds(20 * (i % 7)));
          flag.Raise();
        });
        flag.Await(absl::Microseconds(20 * ((i + t) % 7)));
        other.join();
        EXPECT_TRUE(flag.Await(absl::ZeroDuration()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace fpo
