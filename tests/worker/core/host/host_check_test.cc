#include "worker/core/host/host_check.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using ::testing::HasSubstr;

class HostCheckTest : public ::testing::Test {
 protected:
  HostCheckTest() {
    needs_.work_dir = parts_.work.path();
    trainer_ = fpo::testing::FakeTrainer({"never", "run"});
    devices_ = parts_.work / "devices";
    trainer_.spawn.environment.push_back("FPO_FAKE_DEVICES=" + devices_);
  }
  absl::StatusOr<std::string> Check() {
    ProcessSet processes(&parts_.spawner, parts_.journal.get(), &parts_.metrics);
    return CheckHost(needs_, trainer_, &processes);
  }
  std::string Broken() {
    const auto checked = Check();
    EXPECT_TRUE(absl::IsFailedPrecondition(checked.status())) << checked.status();
    return std::string(checked.status().message());
  }

  fpo::testing::AgentParts parts_;
  HostNeeds needs_;
  RankCommand trainer_;
  std::string devices_;
};

TEST_F(HostCheckTest, AHostThatCanRunJobsSaysWithWhat) {
  EXPECT_EQ(Check().value(), "fake_trainer 1");
  needs_.device = "cuda";
  EXPECT_TRUE(Check().ok());
}

TEST_F(HostCheckTest, AMissingOrBrokenTrainerIsNamed) {
  trainer_.spawn.argv[0] = parts_.work / "fpo-train";
  EXPECT_THAT(Broken(), HasSubstr("fpo-train"));
}

TEST_F(HostCheckTest, ADeviceThatDoesNotWorkIsNamedAndACpuDoesNotCare) {
  fpo::testing::WriteWhole(devices_, "exit-10 device cuda: no NVIDIA driver");
  EXPECT_TRUE(Check().ok());
  needs_.device = "cuda";
  EXPECT_THAT(Broken(), HasSubstr("exit code 10 (device missing or broken)"));
  EXPECT_THAT(Broken(), HasSubstr("no NVIDIA driver"));
}

TEST_F(HostCheckTest, ADeviceThatDoesNotAnswerIsBroken) {
  fpo::testing::WriteWhole(devices_, "hang");
  needs_.device = "cuda";
  needs_.answer_time = absl::Milliseconds(500);
  EXPECT_THAT(Broken(), HasSubstr("no answer in time"));
}

TEST_F(HostCheckTest, ItsOwnFolderNeedsRoom) {
  needs_.disk_reserve_bytes = int64_t{1} << 60;
  EXPECT_THAT(Broken(), HasSubstr("MiB free"));
  needs_.disk_reserve_bytes = 0;
  std::filesystem::remove(parts_.work / "jobs");
  fpo::testing::WriteWhole(parts_.work / "jobs", "no folder");
  EXPECT_THAT(Broken(), HasSubstr("jobs"));
}

TEST_F(HostCheckTest, AStopIsNoFault) {
  ProcessSet processes(&parts_.spawner, parts_.journal.get(), &parts_.metrics);
  processes.Stop(absl::ZeroDuration());
  EXPECT_TRUE(absl::IsCancelled(CheckHost(needs_, trainer_, &processes).status()));
}

}  // namespace
}  // namespace fpo::worker
