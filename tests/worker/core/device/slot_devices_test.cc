#include "worker/core/device/slot_devices.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Device> Host(int count) {
  std::vector<Device> all;
  for (int i = 0; i < count; ++i)
    all.push_back({i, "GPU-" + std::string(1, 'a' + i), "", 0, 0, ""});
  return all;
}

std::vector<std::string> Names(int slots, const std::vector<Device>& all,
                               const std::optional<std::string>& visible = std::nullopt) {
  std::vector<std::string> names;
  const std::vector<SlotDevice> devices = SlotDevices(slots, all, visible).value();
  for (const SlotDevice& slot : devices) {
    names.push_back(slot.visible_as);
  }
  return names;
}

std::string Error(int slots, const std::vector<Device>& all,
                  const std::optional<std::string>& visible = std::nullopt) {
  const auto devices = SlotDevices(slots, all, visible);
  EXPECT_TRUE(absl::IsInvalidArgument(devices.status()));
  return std::string(devices.status().message());
}

TEST(SlotDevicesTest, EachSlotHasTheNextGpuByItsUuid) {
  EXPECT_THAT(Names(2, Host(8)), ElementsAre("GPU-a", "GPU-b"));
  EXPECT_THAT(Names(1, Host(8)), ElementsAre("GPU-a")) << "the one whose memory is watched";
}

TEST(SlotDevicesTest, TheListGivenBySlurmOrDockerIsFollowedAsCudaDoes) {
  EXPECT_THAT(Names(2, Host(8), "4,5"), ElementsAre("GPU-e", "GPU-f"));
  EXPECT_THAT(Names(2, Host(8), " 2 ,GPU-a"), ElementsAre("GPU-c", "GPU-a"));
  EXPECT_THAT(Names(1, Host(8), "0,9,1"), ElementsAre("GPU-a"));
  EXPECT_THAT(Error(2, Host(8), "0,9,1"), HasSubstr("shows 1 GPU with CUDA_VISIBLE_DEVICES=0,9,1"));
  EXPECT_THAT(Names(2, Host(1), "MIG-1,MIG-2"), ElementsAre("MIG-1", "MIG-2"));
}

TEST(SlotDevicesTest, ASlotBeyondTheGpusIsRefused) {
  EXPECT_THAT(Error(3, Host(8), "4,5"),
              HasSubstr("--slots 3: the driver shows 2 GPUs with CUDA_VISIBLE_DEVICES=4,5"));
  EXPECT_THAT(Error(3, Host(2)), HasSubstr("--slots 3: the driver shows 2 GPUs, and each slot"));
  EXPECT_THAT(Error(3, {}, "4,5"), HasSubstr("2 GPUs with")) << "no library of a driver answers";
}

TEST(SlotDevicesTest, WithoutALibraryOfTheDriverNumbersAreAllThereIs) {
  EXPECT_THAT(Names(1, {}), ElementsAre(""));
  EXPECT_THAT(Names(2, {}), ElementsAre("0", "1"));
  EXPECT_THAT(Names(2, {}, "4,5"), ElementsAre("4", "5"));
}

}  // namespace
}  // namespace fpo::worker
