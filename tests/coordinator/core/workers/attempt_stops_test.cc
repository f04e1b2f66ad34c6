// Attempts that are to end, with a wall clock that jumps and a steady one that does not.

#include <memory>
#include <string>
#include <utility>

#include "coordinator/core/coordinator.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class JumpingClocksTest : public ::testing::Test {
 protected:
  JumpingClocksTest() {
    options_.logs.keep = absl::Hours(24 * 30);
    options_.keep_jobs = absl::Hours(24 * 30);
    coordinator_ = Coordinator::Open(options_, {&store_, &wall_, &steady_}).value();
    steady_.Advance(options_.reattach);
    wall_.Advance(options_.reattach);
    link_ = std::make_shared<FakeLink>();
    EXPECT_TRUE(coordinator_->Connect(HelloOf("w1"), link_).ok());
    job_ = coordinator_->Submit({"r-1", ConfigJson("a"), "ada"}).value().job->job_id;
    coordinator_->Tick();
    EXPECT_EQ(State(), JobState::kReserved);
  }
  void Report(ReportStatus status) {
    coordinator_->Report({{LastAttemptRef(*coordinator_->GetJob(job_).value()), status}, "w1"});
  }
  // Both clocks move on, the wall clock by `jump` more.
  void Pass(absl::Duration time, absl::Duration jump = absl::ZeroDuration()) {
    for (absl::Duration left = time; left > absl::ZeroDuration(); left -= absl::Seconds(1)) {
      steady_.Advance(absl::Seconds(1));
      wall_.Advance(absl::Seconds(1) + std::exchange(jump, absl::ZeroDuration()));
      coordinator_->Heartbeat("w1", link_.get(), ++beat_);
      coordinator_->Tick();
    }
  }
  JobState State() { return coordinator_->GetJob(job_).value()->state; }

  CoordinatorOptions options_;
  FakeClock wall_{kStart}, steady_{absl::UnixEpoch() + absl::Hours(1)};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::shared_ptr<FakeLink> link_;
  std::string job_;
  uint64_t beat_ = 0;
};

TEST_F(JumpingClocksTest, AStepForwardEndsNoFence) {
  Report(ReportStatus::kAccepted);
  Report(ReportStatus::kRunning);
  ASSERT_TRUE(coordinator_->Cancel(job_, absl::Seconds(30)).ok());
  Pass(absl::Seconds(1), absl::Seconds(3600));
  EXPECT_EQ(State(), JobState::kCancelling) << "its processes were given 30 s and 60 more";
  Pass(absl::Seconds(80));
  EXPECT_EQ(State(), JobState::kCancelling);
  Pass(absl::Seconds(15));
  EXPECT_EQ(State(), JobState::kCancelled);
}

TEST_F(JumpingClocksTest, AStepBackLengthensNoFence) {
  Report(ReportStatus::kAccepted);
  Report(ReportStatus::kRunning);
  ASSERT_TRUE(coordinator_->Cancel(job_, absl::Seconds(30)).ok());
  Pass(absl::Seconds(1), -absl::Hours(10));
  Pass(absl::Seconds(92));
  EXPECT_EQ(State(), JobState::kCancelled);
}

TEST_F(JumpingClocksTest, AStopThatStaysUnconfirmedClosesTheWorkerInItsTime) {
  Report(ReportStatus::kAccepted);
  Report(ReportStatus::kRunning);
  ASSERT_TRUE(coordinator_->Cancel(job_, absl::Seconds(30)).ok());
  const auto mode = [&] { return coordinator_->ListWorkers().at(0).mode.kind; };
  Pass(absl::Seconds(1), absl::Hours(10));
  Pass(absl::Seconds(80));
  EXPECT_EQ(mode(), WorkerMode::Kind::kOpen);
  Pass(absl::Seconds(15));
  EXPECT_EQ(mode(), WorkerMode::Kind::kCordoned);
}

TEST_F(JumpingClocksTest, AReservationIsNotTimedByTheWallClock) {
  Pass(absl::Seconds(1), absl::Hours(1));
  EXPECT_EQ(State(), JobState::kReserved);
  Pass(absl::Seconds(1), -absl::Hours(2));
  Pass(options_.reservation);
  EXPECT_NE(State(), JobState::kReserved);
}

TEST_F(JumpingClocksTest, AReconnectedAgentGetsWhatIsLeftOfTheGrace) {
  Report(ReportStatus::kAccepted);
  Report(ReportStatus::kRunning);
  ASSERT_TRUE(coordinator_->Cancel(job_, absl::Seconds(30)).ok());
  Pass(absl::Seconds(10), absl::Hours(1));
  auto again = std::make_shared<FakeLink>();
  const AttemptRef ref = LastAttemptRef(*coordinator_->GetJob(job_).value());
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1", 1, {ref}), again).ok());
  ASSERT_EQ(again->All<StopCommand>().size(), 1u);
  EXPECT_EQ(again->All<StopCommand>().at(0).grace, absl::Seconds(20));
}

TEST_F(JumpingClocksTest, AStepForwardRemovesNoLogsJobsOrRequests) {
  Report(ReportStatus::kAccepted);
  Report(ReportStatus::kRunning);
  LogBatch batch{{LastAttemptRef(*coordinator_->GetJob(job_).value()), 1}};
  batch.lines.push_back({0, LineStream::kStdout, absl::ToUnixMillis(wall_.Now()), "text"});
  ASSERT_TRUE(coordinator_->AddLogs("w1", batch).ok());
  Report(ReportStatus::kSucceeded);
  Pass(absl::Minutes(11), absl::Hours(24 * 40));
  ASSERT_TRUE(coordinator_->GetJob(job_).ok());
  const LogPage page = coordinator_->ReadLogs(job_, {}).value();
  ASSERT_EQ(page.lines.size(), 1u);
  EXPECT_EQ(page.lines[0].text, "text") << "not the line that says how many were removed";
  EXPECT_EQ(coordinator_->Submit({"r-1", ConfigJson("a"), "ada"}).value().job->job_id, job_);
}

}  // namespace
}  // namespace fpo::coordinator
