#include "coordinator/core/jobs/checkpoint_control.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class CheckpointControlTest : public ::testing::Test {
 protected:
  CheckpointControlTest() {
    Job job = jobs_.Create(MakeJob(""), {.request_id = "r"}, kStart).value() ? MakeJob("") : Job();
    job = *jobs_.Find("job-").value();
    job = After(job, {Reserve{{MemberOn("w1")}}});
    for (int64_t step : {10, 20}) {
      Checkpoint checkpoint;
      checkpoint.step = step;
      checkpoint.folder = "/out/step-" + std::to_string(step);
      job.checkpoints.push_back(checkpoint);
    }
    job.demand.keep_last = 1;
    id_ = job.job_id;
    job_ = jobs_.Put(job).value();
  }
  void End() {
    jobs_.ApplyEvent(id_, ReportOf(*jobs_.Get(id_), "w1", ReportStatus::kSucceeded), kStart)
        .value();
  }
  void Connect() {
    link_ = std::make_shared<FakeLink>();
    workers_.Connect(HelloOf("w1"), link_, {kStart, kStart});
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  WorkerRegistry workers_;
  CheckpointControl control_{&jobs_, &workers_};
  std::shared_ptr<FakeLink> link_;
  std::string id_;
  JobPtr job_;
};

TEST_F(CheckpointControlTest, PinIsStoredAndToldToTheHolder) {
  Connect();
  ASSERT_TRUE(control_.Pin(id_, 10, true).ok());
  EXPECT_TRUE(jobs_.Get(id_)->checkpoints[0].pinned);
  EXPECT_TRUE(store_.LoadJobs().value()[0].checkpoints[0].pinned);
  EXPECT_EQ(link_->All<KeepCheckpointsCommand>().at(0).pin,
            std::vector<std::string>{"/out/step-10"});
  ASSERT_TRUE(control_.Pin(id_, 10, false).ok());
  EXPECT_EQ(link_->All<KeepCheckpointsCommand>().at(1).unpin.size(), 1u);
}

TEST_F(CheckpointControlTest, WithoutItsHolderNothingChanges) {
  EXPECT_EQ(ReasonOf(control_.Pin(id_, 10, true).status()), ErrorReason::kNoHolder);
  EXPECT_FALSE(jobs_.Get(id_)->checkpoints[0].pinned);
  EXPECT_EQ(ReasonOf(control_.Pin(id_, 11, true).status()), ErrorReason::kNoCheckpoint);
  EXPECT_EQ(ReasonOf(control_.Pin("nobody", 11, true).status()), ErrorReason::kJobNotFound);
}

TEST_F(CheckpointControlTest, GcRemovesWhatRetentionDoesNotWantOfAJobThatEnded) {
  Connect();
  EXPECT_EQ(ReasonOf(control_.Gc(id_, false).status()), ErrorReason::kIllegalTransition);
  EXPECT_EQ(control_.Gc(id_, true).value().size(), 2u) << "looking is always allowed";
  End();
  ASSERT_TRUE(control_.Gc(id_, true).ok());
  EXPECT_EQ(jobs_.Get(id_)->checkpoints.size(), 2u);
  ASSERT_TRUE(control_.Gc(id_, false).ok());
  ASSERT_EQ(jobs_.Get(id_)->checkpoints.size(), 1u);
  EXPECT_EQ(jobs_.Get(id_)->checkpoints[0].step, 20);
  EXPECT_EQ(link_->All<KeepCheckpointsCommand>().at(0).remove,
            std::vector<std::string>{"/out/step-10"});
}

}  // namespace
}  // namespace fpo::coordinator
