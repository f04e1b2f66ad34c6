#include "common/rpc/work_pool.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(WorkPool, RefusesWhatItsQueueCannotHoldAndAdmitsNextSteps) {
  WorkPool pool({.threads = 1, .queue_max = 1});
  absl::Notification running, go;
  std::atomic<int> done = 0;
  ASSERT_TRUE(pool.TryRun([&] {
    running.Notify();
    go.WaitForNotification();
    ++done;
  }));
  running.WaitForNotification();
  EXPECT_TRUE(pool.TryRun([&] { ++done; }));
  EXPECT_FALSE(pool.TryRun([&] { ++done; }));
  pool.Run([&] { ++done; });
  go.Notify();
  pool.Stop();
  EXPECT_EQ(done, 3);
  EXPECT_FALSE(pool.TryRun([] {}));
  pool.Stop();
}

}  // namespace
}  // namespace fpo
