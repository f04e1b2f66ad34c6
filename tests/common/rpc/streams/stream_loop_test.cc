#include "common/rpc/streams/stream_loop.h"

#include <atomic>
#include <thread>
#include <vector>

#include "common/error_info.h"
#include "common/rpc/streams/open_streams.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(StreamLoop, StepsNeverOverlapAndOneFollowsEveryWake) {
  WorkPool pool({.threads = 4, .queue_max = 10});
  std::atomic<int> inside = 0;
  std::atomic<int64_t> seen = 0;
  std::atomic<int64_t> wanted = 0;
  std::atomic<bool> overlapped = false;
  StreamLoop loop(&pool, [&] {
    if (++inside != 1) overlapped = true;
    seen = wanted.load();
    --inside;
    return true;
  });
  std::vector<std::thread> wakers;
  for (int t = 0; t < 4; ++t) {
    wakers.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        ++wanted;
        loop.Wake();
      }
    });
  }
  for (std::thread& waker : wakers) waker.join();
  pool.Stop();
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(seen, 8000);
}

TEST(StreamLoop, MayDestroyItself) {
  WorkPool pool({.threads = 2, .queue_max = 10});
  struct Stream {
    explicit Stream(WorkPool* work_pool, std::atomic<bool>* is_gone)
        : loop(work_pool, [this, is_gone] {
            *is_gone = true;
            delete this;
            return false;
          }) {}
    StreamLoop loop;
  };
  std::atomic<bool> gone = false;
  (new Stream(&pool, &gone))->loop.Wake();
  pool.Stop();
  EXPECT_TRUE(gone);
}

class CountingStream final : public OpenStream {
 public:
  void End(const absl::Status& why) override {
    ++ends;
    last = why;
  }
  void OnTick(absl::Time) override { ++ticks; }
  int ends = 0;
  int ticks = 0;
  absl::Status last;
};

TEST(OpenStreams, EndsWhatIsOpenAndWhatOpensLater) {
  OpenStreams streams("the test");
  CountingStream early, gone, late;
  ASSERT_TRUE(streams.Add(&early).ok());
  ASSERT_TRUE(streams.Add(&gone).ok());
  streams.Remove(&gone);
  streams.EndAll(absl::UnavailableError("shutting down"));
  ASSERT_TRUE(streams.Add(&late).ok());
  EXPECT_EQ(early.ends, 1);
  EXPECT_EQ(gone.ends, 0);
  EXPECT_EQ(late.ends, 1);
  EXPECT_EQ(late.last.message(), "shutting down");
}

TEST(OpenStreams, AreBoundedAndTickedUntilTheyAreRemoved) {
  OpenStreams streams("the test", 1);
  CountingStream first, second;
  ASSERT_TRUE(streams.Add(&first).ok());
  const absl::Status full = streams.Add(&second);
  EXPECT_EQ(ReasonOf(full), ErrorReason::kBusy) << full;
  streams.Remove(&second);
  streams.Tick(absl::UnixEpoch());
  EXPECT_EQ(first.ticks, 1);
  EXPECT_EQ(second.ticks, 0);
  streams.Remove(&first);
  streams.Tick(absl::UnixEpoch());
  EXPECT_EQ(first.ticks, 1);
  EXPECT_TRUE(streams.Add(&second).ok());
}

}  // namespace
}  // namespace fpo
