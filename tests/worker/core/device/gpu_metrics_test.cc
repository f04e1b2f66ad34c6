#include "worker/core/device/gpu_metrics.h"

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/device_fixture.h"
#include "worker/core/device/nvml.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GpuMetricsTest : public DeviceFixture {
 protected:
  // Returns once the driver was read.
  std::unique_ptr<GpuWatch> Watch() {
    auto read = std::make_shared<absl::Notification>();
    const auto open = [this, read]() -> absl::StatusOr<GpuWatch::Sampler> {
      std::shared_ptr<Nvml> nvml = *Nvml::Open(options_.nvml);
      return [nvml, read, calls = 0]() mutable {
        if (++calls == 2) read->Notify();  // the numbers of the first call are there
        return nvml->Sample();
      };
    };
    auto watch = std::make_unique<GpuWatch>(
        open, GpuWatch::Options{.pace = absl::ZeroDuration(), .clock = &clock_});
    read->WaitForNotification();
    return watch;
  }

  BootClock clock_;
  MetricsRegistry registry_;
};

TEST_F(GpuMetricsTest, TheGpusOfTheSlotsAreShownWithTheirLabels) {
  const auto watch = Watch();
  GpuMetrics metrics(&registry_, {watch.get(), {"GPU-00000000"}, [] {
                                    return std::set<std::string>{"GPU-00000000"};
                                  }});
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("fpo_gpu_driver_answers 1"));
  const std::string gpu = "gpu=\"0\",";
  const std::string uuid = "uuid=\"GPU-00000000\"";
  EXPECT_THAT(text, HasSubstr("fpo_gpu_utilisation_ratio{" + gpu + uuid + "} 0.97"));
  EXPECT_THAT(text, HasSubstr("fpo_gpu_held{" + gpu + uuid + "} 1"));
  EXPECT_THAT(text, HasSubstr("fpo_gpu_ecc_errors{" + gpu +
                              "kind=\"uncorrected\",since=\"driver_load\"," + uuid + "} 10"));
  EXPECT_THAT(text, HasSubstr("fpo_gpu_throttled{" + gpu + "reason=\"temperature_hardware\"," +
                              uuid + "} 1"));
  EXPECT_THAT(text, Not(HasSubstr("gpu=\"1\""))) << "no slot of this worker has it";
}

TEST_F(GpuMetricsTest, WithoutADriverThatAnswersNothingIsShown) {
  const auto watch = Watch();
  GpuMetrics metrics(&registry_,
                     {watch.get(), {"GPU-00000001"}, [] { return std::set<std::string>{}; }});
  EXPECT_THAT(registry_.Text(), HasSubstr("fpo_gpu_held{gpu=\"1\",uuid=\"GPU-00000001\"} 0"));
  EXPECT_THAT(registry_.Text(), Not(HasSubstr("fpo_gpu_power_watts{")));
  const auto silent = std::make_unique<GpuWatch>(
      []() -> absl::StatusOr<GpuWatch::Sampler> { return absl::NotFoundError("none"); },
      GpuWatch::Options{.stale_after = -absl::Seconds(1), .clock = &clock_});
  MetricsRegistry other;
  GpuMetrics none(&other, {silent.get(), {"GPU-00000001"}, [] { return std::set<std::string>{}; }});
  EXPECT_THAT(other.Text(), HasSubstr("fpo_gpu_driver_answers 0"));
  EXPECT_THAT(other.Text(), Not(HasSubstr("{gpu=")));
}

TEST_F(GpuMetricsTest, AWorkerWithoutGpusDeclaresTheNames) {
  GpuMetrics metrics(&registry_, {});
  const std::string text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("# TYPE fpo_gpu_ecc_errors gauge"));
  EXPECT_THAT(text, HasSubstr("# TYPE fpo_gpu_driver_answers gauge"));
  EXPECT_THAT(text, Not(HasSubstr("\nfpo_gpu")));
}

}  // namespace
}  // namespace fpo::worker
