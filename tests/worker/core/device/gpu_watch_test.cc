#include "worker/core/device/gpu_watch.h"

#include <atomic>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

class HandClock final : public SteadyClock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(seconds); }
  std::atomic<int64_t> seconds = 1000;
};

GpuSample Temperature(double value) { return {"fpo_gpu_temperature_celsius", {}, value}; }

// A driver of which each call waits until it is let go.
struct Driver {
  absl::Mutex mutex;
  int calls ABSL_GUARDED_BY(mutex) = 0;
  int allowed ABSL_GUARDED_BY(mutex) = 0;

  absl::StatusOr<std::vector<GpuSample>> Call() {
    absl::MutexLock lock(&mutex);
    const int call = ++calls;
    const auto may = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return allowed >= call; };
    mutex.Await(absl::Condition(&may));
    return std::vector<GpuSample>{Temperature(call)};
  }
  void Allow(int number) {
    absl::MutexLock lock(&mutex);
    allowed = number;
  }
  void AwaitCall(int number) {
    absl::MutexLock lock(&mutex);
    const auto begun = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return calls >= number; };
    mutex.Await(absl::Condition(&begun));
  }
};

GpuWatch::Options Often(const HandClock& clock) {
  return {.pace = absl::ZeroDuration(), .stale_after = absl::Seconds(30), .clock = &clock};
}

TEST(GpuWatch, ADriverThatHangsHidesItsNumbersAndHoldsUpNobody) {
  HandClock clock;
  const auto driver = std::make_shared<Driver>();
  const auto open = [driver]() -> absl::StatusOr<GpuWatch::Sampler> {
    return [driver] { return driver->Call(); };
  };
  {
    GpuWatch watch(open, Often(clock));
    driver->AwaitCall(1);
    EXPECT_FALSE(watch.Latest().has_value()) << "nothing was read yet";
    EXPECT_TRUE(watch.DriverAnswers()) << "it is not due yet";
    driver->Allow(1);
    driver->AwaitCall(2);  // the answer to the first call is there, the second one hangs
    EXPECT_EQ(watch.Latest(), std::vector<GpuSample>{Temperature(1)});
    clock.seconds += 30;
    EXPECT_TRUE(watch.Latest().has_value());
    clock.seconds += 1;
    EXPECT_FALSE(watch.Latest().has_value());
    EXPECT_FALSE(watch.DriverAnswers());
    driver->Allow(2);
    driver->AwaitCall(3);
    EXPECT_EQ(watch.Latest(), std::vector<GpuSample>{Temperature(2)});
    EXPECT_TRUE(watch.DriverAnswers());
  }
  driver->Allow(1000);  // the end of the watch did not wait for it
}

TEST(GpuWatch, ADriverThatCannotBeOpenedHasNoNumbers) {
  HandClock clock;
  GpuWatch watch([]() -> absl::StatusOr<GpuWatch::Sampler> { return absl::NotFoundError("none"); },
                 Often(clock));
  clock.seconds += 31;
  EXPECT_FALSE(watch.Latest().has_value());
  EXPECT_FALSE(watch.DriverAnswers());
}

}  // namespace
}  // namespace fpo::worker
