#include "coordinator/rpc/pages/coordinator_metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CoordinatorMetricsTest : public ::testing::Test {
 protected:
  void Report(ReportStatus status) {
    const JobPtr job = coordinator_->GetJob("tiny").value();
    const CacheUse cache{4, 3, 1, "aa", "bb", 0.5};
    coordinator_->Report(
        {{.attempt = LastAttemptRef(*job), .status = status, .cache = cache}, "w1"});
  }

  FakeClock clock_{kStart};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_ =
      Coordinator::Open({}, {&store_, &clock_, &clock_}).value();
  MetricsRegistry registry_;
  CoordinatorMetrics metrics_{&registry_, coordinator_.get()};
};

TEST_F(CoordinatorMetricsTest, EveryStateAndClassIsThereFromTheStart) {
  const std::string text = registry_.Text();
  for (const char* line :
       {"fpo_jobs{state=\"RUNNING\"} 0", "fpo_jobs{state=\"CANCELLED\"} 0",
        "fpo_workers{state=\"ready\"} 0", "fpo_slots{state=\"free\"} 0",
        "fpo_job_submissions_total{result=\"created\"} 0",
        "fpo_job_attempts_total{class=\"memory\"} 0",
        "fpo_lease_expirations_total{kind=\"worker\"} 0",
        "fpo_fencing_rejections_total{kind=\"report\"} 0", "fpo_job_queue_wait_seconds_count 0",
        "fpo_store_read_only 0", "# TYPE fpo_job_loss gauge", "# TYPE fpo_job_phase gauge",
        "# TYPE fpo_worker_beat_age_seconds gauge"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(CoordinatorMetricsTest, AJobHasSeriesOnlyWhileItRuns) {
  ASSERT_TRUE(coordinator_->Submit({"r", ConfigJson("tiny"), "ada"}).ok());
  auto link = std::make_shared<FakeLink>();
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1", 2), link).ok());
  coordinator_->Tick();
  Report(ReportStatus::kRunning);
  const JobPtr job = coordinator_->GetJob("tiny").value();
  const AttemptRef ref = LastAttemptRef(*job);
  ASSERT_TRUE(
      coordinator_
          ->AddEvents("w1",
                      {{ref, 1, {{.text = PhaseLine("train")}, {.text = StepLine(7, 9, 0.5)}}}})
          .ok());
  const std::string id = "{job=\"" + job->job_id + "\"}";
  std::string text = registry_.Text();
  for (const std::string& line :
       {"fpo_job_step" + id + " 7", "fpo_job_loss" + id + " 0.5",
        "fpo_job_cache_hit_ratio" + id + " 0.75",
        "fpo_job_phase{job=\"" + job->job_id + "\",phase=\"train\"} 1",
        "fpo_job_last_progress_timestamp_seconds" + id,
        std::string("fpo_jobs{state=\"RUNNING\"} 1"), std::string("fpo_slots{state=\"used\"} 1"),
        std::string("fpo_slots{state=\"free\"} 1"), std::string("fpo_workers{state=\"ready\"} 1"),
        std::string("fpo_worker_beat_age_seconds{worker=\"w1\"} 0"),
        std::string("fpo_worker_closed{worker=\"w1\"} 0"),
        std::string("fpo_worker_cordoned{worker=\"w1\"} 0"),
        std::string("fpo_job_queue_wait_seconds_count 1"),
        std::string("fpo_job_submissions_total{result=\"created\"} 1")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("fpo_checkpoint_last_success_timestamp_seconds{")));
  ASSERT_TRUE(coordinator_->AddEvents("w1", {{ref, 3, {{.text = CheckpointLine(7)}}}}).ok());
  EXPECT_THAT(registry_.Text(),
              HasSubstr("fpo_checkpoint_last_success_timestamp_seconds" + id + " "));
  ASSERT_TRUE(coordinator_->AddEvents("w1", {{ref, 4, {{.text = PhaseLine("finish")}}}}).ok());
  text = registry_.Text();
  EXPECT_THAT(text, HasSubstr("phase=\"finish\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("phase=\"train\"")));
  Report(ReportStatus::kSucceeded);
  text = registry_.Text();
  EXPECT_THAT(text, Not(HasSubstr("{job=\"")));
  EXPECT_THAT(text, HasSubstr("fpo_job_attempts_total{class=\"done\"} 1"));
  EXPECT_THAT(text, HasSubstr("fpo_jobs{state=\"SUCCEEDED\"} 1"));
}

TEST_F(CoordinatorMetricsTest, WhoClosedAWorkerIsShown) {
  auto link = std::make_shared<FakeLink>();
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1", 3), link).ok());
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w2", 3), link).ok());
  coordinator_->CloseWorker("w1", "its GPU is gone");
  ASSERT_TRUE(coordinator_->SetWorkerMode("w2", {WorkerMode::Kind::kCordoned, "repairs"}).ok());
  const std::string text = registry_.Text();
  for (const char* line :
       {"fpo_worker_closed{worker=\"w1\"} 1", "fpo_worker_cordoned{worker=\"w1\"} 0",
        "fpo_worker_closed{worker=\"w2\"} 0", "fpo_worker_cordoned{worker=\"w2\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(CoordinatorMetricsTest, LostWorkersLeaveTheFreeSlots) {
  auto link = std::make_shared<FakeLink>();
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1", 3), link).ok());
  coordinator_->Disconnect("w1", link.get());
  EXPECT_THAT(registry_.Text(), HasSubstr("fpo_slots{state=\"lost\"} 3"));
  clock_.Advance(absl::Hours(25));
  coordinator_->Tick();
  EXPECT_THAT(registry_.Text(), Not(HasSubstr("worker=\"w1\"")));
}

}  // namespace
}  // namespace fpo::coordinator
