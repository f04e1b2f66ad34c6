#include "coordinator/core/lines/metric_cache.h"

#include <thread>

#include "absl/synchronization/notification.h"
#include "common/train_protocol.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class MetricCacheTest : public ::testing::Test {
 protected:
  MetricCacheTest() {
    store_.OnReadEvents([this] {
      ++reads_;
      clock_.Advance(absl::Seconds(1));  // so long it takes
    });
  }
  void AddStep(int64_t step, const std::string& job = "j-1") {
    LineWrite write;
    write.sender = {{job, 1, 1}, "w1"};
    write.events = {{static_cast<uint64_t>(step), 1, 0,
                     EncodeEvent(StepEvent(step, 100, {{"loss", 1.0}, {"margin", 2.0}}))}};
    ASSERT_TRUE(store_.PutLines(write).ok());
  }
  size_t Points(const std::string& job = "j-1") {
    return cache_.Get({job, {"loss"}, 500}).value()->at("loss").size();
  }

  MemoryJobStore store_;
  FakeClock clock_{kStart};
  int reads_ = 0;
  MetricCache cache_{&store_, &clock_};
};

TEST_F(MetricCacheTest, CurvesOfAJobWithoutNewEventsAreMadeOnce) {
  AddStep(1);
  EXPECT_EQ(Points(), 1u);
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(Points(), 1u);
  EXPECT_EQ(reads_, 1);
  EXPECT_EQ(cache_.Get({"j-1", {}, 500}).value()->size(), 2u) << "other ones are another matter";
  EXPECT_EQ(reads_, 2);
}

TEST_F(MetricCacheTest, AGrowingCurveIsAtMostTenTimesAsOldAsItTookToMake) {
  AddStep(1);
  EXPECT_EQ(Points(), 1u);
  AddStep(2);
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(Points(), 1u);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Points(), 2u);
  EXPECT_EQ(reads_, 2);
}

TEST_F(MetricCacheTest, WhoeverAsksMeanwhileGetsWhatWasMadeLast) {
  AddStep(1);
  EXPECT_EQ(Points(), 1u);
  AddStep(2);
  clock_.Advance(absl::Minutes(1));
  absl::Notification begun, go;
  store_.OnReadEvents([&] {
    begun.Notify();
    go.WaitForNotification();
  });
  std::thread maker([&] { EXPECT_EQ(Points(), 2u); });
  begun.WaitForNotification();
  EXPECT_EQ(Points(), 1u);
  go.Notify();
  maker.join();
  EXPECT_EQ(Points(), 2u);
}

TEST_F(MetricCacheTest, OnlySoManyAreKept) {
  for (int i = 0; i < 40; ++i) {
    AddStep(1, "j-" + std::to_string(i));
    EXPECT_EQ(Points("j-" + std::to_string(i)), 1u);
  }
  EXPECT_EQ(reads_, 40);
  EXPECT_EQ(Points("j-39"), 1u);
  EXPECT_EQ(reads_, 40);
  EXPECT_EQ(Points("j-0"), 1u);
  EXPECT_EQ(reads_, 41) << "it had to go";
}

}  // namespace
}  // namespace fpo::coordinator
