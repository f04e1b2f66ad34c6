#include "common/rpc/streams/read_ahead.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(ReadAhead, AnIdlePoolMakesTheValueBeforeItIsAskedFor) {
  WorkPool pool({.threads = 1});
  absl::Notification made;
  ReadAhead<int> ahead(&pool, [&made] {
    made.Notify();
    return 7;
  });
  made.WaitForNotification();
  EXPECT_EQ(ahead.Take(), 7);
}

TEST(ReadAhead, WhoAsksFirstMakesItHimself) {
  WorkPool pool({.threads = 1});
  absl::Notification stuck, release;
  pool.Run([&] {
    stuck.Notify();
    release.WaitForNotification();
  });
  stuck.WaitForNotification();
  int made = 0;
  ReadAhead<int> ahead(&pool, [&made] { return ++made; });
  EXPECT_EQ(ahead.Take(), 1) << "with the pool's only thread busy";
  release.Notify();
  pool.Stop();
  EXPECT_EQ(made, 1) << "once";
}

TEST(ReadAhead, ThreadsOfThePoolWaitForOneAnotherWithoutEnd) {
  WorkPool pool({.threads = 2});
  std::atomic<int> sum = 0;
  for (int i = 0; i < 100; ++i) {
    pool.Run([&] {
      ReadAhead<int> first(&pool, [] { return 1; });
      ReadAhead<int> second(&pool, [] { return 2; });
      sum += first.Take() + second.Take();
    });
  }
  pool.Stop();
  EXPECT_EQ(sum, 300);
}

TEST(ReadAhead, OneThatNobodyAsksForMayOutliveIt) {
  WorkPool pool({.threads = 1});
  absl::Notification release;
  pool.Run([&] { release.WaitForNotification(); });
  std::atomic<bool> made = false;
  {
    ReadAhead<int> ahead(&pool, [&made] { return made = true, 1; });
  }
  release.Notify();
  pool.Stop();
  EXPECT_TRUE(made);
}

}  // namespace
}  // namespace fpo
