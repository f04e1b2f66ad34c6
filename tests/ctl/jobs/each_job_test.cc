#include "ctl/jobs/each_job.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ctl/command_run.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;
using ::testing::HasSubstr;
using ::testing::Not;

class EachJobTest : public CommandRun {
 protected:
  void SetUp() override {
    coordinator_.AddJob(SampleMessage("j-1001", pb::JOB_STATE_RUNNING));
    coordinator_.AddJob(SampleMessage("j-1002", pb::JOB_STATE_SUCCEEDED));
    coordinator_.AddJob(SampleMessage("j-1003", pb::JOB_STATE_QUEUED));
  }
};

TEST_F(EachJobTest, AnUnknownOneChangesNothing) {
  const Result result = Run({"cancel", "j-1001", "nobody"});
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.err, HasSubstr("nobody"));
  EXPECT_TRUE(coordinator_.cancels().empty());
}

TEST_F(EachJobTest, TheErrorOfOneDoesNotSpareTheOthers) {
  const Result result = Run({"cancel", "j-1001", "j-1002", "j-1003", "j-1001"});
  EXPECT_EQ(result.code, 7);
  EXPECT_THAT(result.out, HasSubstr("job j-1001 is CANCELLING"));
  EXPECT_THAT(result.err, HasSubstr("error: job j-1002 cannot be cancelled"));
  EXPECT_THAT(result.out, HasSubstr("job j-1003 is CANCELL"));
  EXPECT_EQ(coordinator_.cancels().size(), 3u) << "one of them was named twice";
}

TEST_F(EachJobTest, WaitsForAllAndReturnsTheFirstBadEnd) {
  for (const pb::JobState end :
       {pb::JOB_STATE_SUCCEEDED, pb::JOB_STATE_CANCELLED, pb::JOB_STATE_FAILED}) {
    FakeCoordinator::WatchScript script;
    script.jobs = {SampleMessage("j-1001", end)};
    coordinator_.AddWatch(std::move(script));
  }
  const Result result = Run({"wait", "j-1001", "j-1002", "j-1003"});
  EXPECT_EQ(result.code, 11);
  EXPECT_EQ(coordinator_.watches(), 3);
}

TEST_F(EachJobTest, CtrlCEndsTheWaitingForAll) {
  FakeCoordinator::WatchScript script;
  script.jobs = {SampleMessage("j-1001", pb::JOB_STATE_RUNNING)};
  script.hold = true;
  coordinator_.AddWatch(std::move(script));
  std::thread user([this] {
    coordinator_.AwaitWatches(1);
    interrupt_.Raise();
  });
  const Result result = Run({"wait", "j-1001", "j-1003"});
  user.join();
  EXPECT_EQ(result.code, 130);
  EXPECT_THAT(result.err, HasSubstr("j-1001"));
  EXPECT_THAT(result.err, Not(HasSubstr("j-1003"))) << "said once";
}

}  // namespace
}  // namespace fpo::ctl
