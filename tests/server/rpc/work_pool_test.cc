#include "server/rpc/work_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

TEST(WorkPool, RunsEverythingBeforeItStops) {
  std::atomic<int> done = 0;
  WorkPool pool({.threads = 3, .queue_max = 1000});
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(pool.TryRun([&] { ++done; }));
  pool.Stop();
  EXPECT_EQ(done, 500);
  pool.Stop();
}

TEST(WorkPool, RefusesNewCallsWhenFullButNeverStepsOfOpenOnes) {
  absl::Notification started, go;
  std::atomic<int> done = 0;
  WorkPool pool({.threads = 1, .queue_max = 2});
  ASSERT_TRUE(pool.TryRun([&] {
    started.Notify();
    go.WaitForNotification();
  }));
  started.WaitForNotification();
  EXPECT_TRUE(pool.TryRun([&] { ++done; }));
  EXPECT_TRUE(pool.TryRun([&] { ++done; }));
  EXPECT_FALSE(pool.TryRun([&] { ++done; }));
  pool.Run([&] { ++done; });
  go.Notify();
  pool.Stop();
  EXPECT_EQ(done, 3);
  EXPECT_FALSE(pool.TryRun([] {}));
}

}  // namespace
}  // namespace fpo::coordinator
