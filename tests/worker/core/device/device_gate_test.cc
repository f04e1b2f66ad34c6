#include "worker/core/device/device_gate.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/device_fixture.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

class DeviceGateTest : public DeviceFixture {
 protected:
  DeviceGateTest() : probe_(FindDeviceProbe(options_, &spawner_)) {}
  DeviceGate::Options Short() {
    DeviceGate::Options options;
    options.slots = SlotDevices(2, *probe_->Read(), std::nullopt).value();
    options.patience = absl::Milliseconds(100);
    options.look = absl::Milliseconds(5);
    return options;
  }
  static bool Never() { return false; }

  std::unique_ptr<DeviceProbe> probe_;
};

TEST_F(DeviceGateTest, ADeviceInUseIsNamedWithItsNumbers) {
  DeviceGate gate(probe_.get(), Short());
  EXPECT_TRUE(gate.Check({0}).ok());
  const absl::Status used = gate.AwaitFree({0, 1}, Never);
  EXPECT_TRUE(absl::IsUnavailable(used));
  EXPECT_THAT(std::string(used.message()),
              HasSubstr("device 1 (Fake GPU 80GB) has 40000 of 81920 MiB of its memory in use"));
  DeviceGate::Options mapped = Short();
  mapped.slots = SlotDevices(2, *probe_->Read(), "1,0").value();
  EXPECT_TRUE(DeviceGate(probe_.get(), mapped).Check({1}).ok()) << "slot 1 has device 0";
}

TEST_F(DeviceGateTest, AGpuThatIsGoneClosesItsSlotAndAPartOfOneIsNotMeasured) {
  DeviceGate::Options options = Short();
  options.slots[0].device->uuid = "GPU-lost";
  options.slots[1] = {"MIG-7", std::nullopt};
  DeviceGate gate(probe_.get(), options);
  const absl::Status gone = gate.Check({0});
  EXPECT_TRUE(absl::IsFailedPrecondition(gone)) << "not only busy";
  EXPECT_THAT(std::string(gone.message()), HasSubstr("the GPU of slot 0, device 0 (Fake GPU 80GB"));
  EXPECT_TRUE(gate.Check({1}).ok());
}

TEST_F(DeviceGateTest, WaitsUntilTheDriverGaveTheMemoryBack) {
  DeviceGate::Options options = Short();
  options.patience = absl::Seconds(20);
  DeviceGate gate(probe_.get(), options);
  std::thread later([this] { Use("300 511"); });
  EXPECT_TRUE(gate.AwaitFree({1}, Never).ok());
  later.join();
  Use("300 512");
  EXPECT_FALSE(gate.AwaitFree({1}, [] { return true; }).ok()) << "an agent that leaves waits not";
}

TEST_F(DeviceGateTest, ADriverThatNoLongerAnswersClosesTheGate) {
  DeviceGate gate(probe_.get(), Short());
  Use("broken");
  const absl::Status broken = gate.Check({0});
  EXPECT_TRUE(absl::IsFailedPrecondition(broken));
  EXPECT_THAT(std::string(broken.message()), HasSubstr("Driver Not Loaded"));
}

}  // namespace
}  // namespace fpo::worker
