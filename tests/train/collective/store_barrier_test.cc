#include "train/collective/store_barrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The lines of a wait.
class Lines {
 public:
  void Add(const std::string& line) {
    absl::MutexLock lock(&mutex_);
    last_ = line;
    ++count_;
  }
  // Returns the last one once there are so many.
  std::string Await(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [this, count]() { return count_ >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(60)));
    return last_;
  }

 private:
  absl::Mutex mutex_;
  std::string last_;
  int count_ = 0;
};

// Its threads may be held up for seconds by other work of the host without being taken for lost.
StoreBarrier::Options Quick(Lines* lines = nullptr) {
  StoreBarrier::Options options;
  options.heartbeat_every = absl::Milliseconds(5);
  options.lost_after = absl::Seconds(2);
  options.report_every = absl::Milliseconds(100);
  if (lines != nullptr) options.report = [lines](const std::string& line) { lines->Add(line); };
  return options;
}

TEST(StoreBarrier, OutlastsAnyLimitWhileThePeerLives) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  Lines lines;
  StoreBarrier early(store, 0, 2, Quick(&lines)), late(store, 1, 2, Quick());
  absl::Status waited = absl::UnknownError("not yet");
  std::thread waiting([&] { waited = early.Wait("preparing the data"); });
  // Longer than a silent peer has.
  EXPECT_THAT(lines.Await(30), AllOf(HasSubstr("rank 0 of 2 has waited"), HasSubstr("for rank 1"),
                                     HasSubstr("preparing the data")));
  EXPECT_TRUE(late.Wait("").ok());
  waiting.join();
  EXPECT_TRUE(waited.ok()) << waited;
}

TEST(StoreBarrier, ASilentPeerIsLost) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  StoreBarrier::Options options = Quick();
  options.lost_after = absl::Milliseconds(200);
  StoreBarrier alone(store, 0, 3, options);
  const absl::Status status = alone.Wait("loading the model");
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 was lost"));
}

// One that was seen and then stops is lost as well.
TEST(StoreBarrier, APeerThatEndsIsLost) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  Lines lines;
  StoreBarrier::Options options = Quick(&lines);
  options.lost_after = absl::Seconds(1);
  StoreBarrier early(store, 0, 2, options);
  absl::Status waited;
  std::thread waiting([&] { waited = early.Wait("x"); });
  {
    StoreBarrier ending(store, 1, 2, Quick());
    lines.Await(1);
  }
  waiting.join();
  EXPECT_TRUE(absl::IsAborted(waited)) << waited;
}

TEST(StoreBarrier, SeparatesManyBarriersAndLeavesFewKeys) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::atomic<int> arrived = 0;
  std::vector<std::thread> ranks;
  for (int64_t rank = 0; rank < 3; ++rank) {
    ranks.emplace_back([&, rank] {
      StoreBarrier barrier(store, rank, 3, Quick());
      for (int round = 1; round <= 20; ++round) {
        ++arrived;
        ASSERT_TRUE(barrier.Wait("x").ok());
        EXPECT_GE(arrived, 3 * round);
      }
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_LE(store->getNumKeys(), 3 * 3) << "a heartbeat and at most two barriers a rank";
}

// The transport knows better: the wait is over when it says so, and not before.
TEST(StoreBarrier, EndsWithItsTransport) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  StoreBarrier first(store, 0, 2, Quick()), second(store, 1, 2, Quick());
  int polls = 0;
  std::thread other([&] { EXPECT_TRUE(second.Wait("x", [] { return true; }).ok()); });
  EXPECT_TRUE(first.Wait("x", [&] { return ++polls > 6; }).ok());
  other.join();
  EXPECT_EQ(polls, 7);
}

}  // namespace
}  // namespace fpo::train
