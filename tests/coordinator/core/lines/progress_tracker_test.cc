#include "coordinator/core/lines/progress_tracker.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

const absl::Time kLater = kStart + absl::Seconds(3);

class ProgressTrackerTest : public ::testing::Test {
 protected:
  bool Track(const std::string& line, int32_t rank = 0) {
    const TrainEvent event = EventIn(line);
    if (!ConcernsJob(event, rank)) return false;
    TrackEvent(event, kLater, &job_);
    return true;
  }
  bool progressed() const { return job_.attempts.back().progressed; }

  Job job_ = RunningJob("j-1");
};

TEST_F(ProgressTrackerTest, PhasesStartOverAndCountOnFirstArrival) {
  ASSERT_TRUE(Track(PhaseLine("prepare")));
  EXPECT_EQ(job_.progress.phase, Phase::kPrepare);
  EXPECT_FALSE(progressed()) << "beginning is not progress";
  TrainEvent event = EventOf(EventKind::kProgress);
  event.phase = "prepare";
  event.done = 5;
  event.total = 10;
  event.unit = "pairs";
  ASSERT_TRUE(Track(EncodeEvent(event)));
  EXPECT_EQ(job_.progress.done, 5);
  EXPECT_EQ(job_.progress.total, 10);
  EXPECT_EQ(job_.progress.unit, "pairs");
  ASSERT_TRUE(Track(PhaseLine("train")));
  EXPECT_TRUE(progressed());
  EXPECT_EQ(job_.progress.done, 0);
  EXPECT_EQ(job_.progress.updated, kLater);
}

TEST_F(ProgressTrackerTest, ReachingAPhaseAgainIsNoProgress) {
  job_.phase_reached = Phase::kTrain;
  Track(PhaseLine("train"));
  EXPECT_FALSE(progressed());
  Track(PhaseLine("finish"));
  EXPECT_TRUE(progressed());
}

TEST_F(ProgressTrackerTest, AReferenceRecordIsProgressOnce) {
  TrainEvent event = EventOf(EventKind::kProgress);
  event.phase = "reference";
  event.done = 100;
  event.total = 200;
  job_.phase_reached = Phase::kReference;
  Track(EncodeEvent(event));
  EXPECT_TRUE(progressed());
  job_.attempts.back().progressed = false;
  Track(EncodeEvent(event));
  EXPECT_FALSE(progressed());
}

TEST_F(ProgressTrackerTest, OnlyRecordsCountAsRecords) {
  job_.phase_reached = Phase::kReference;
  TrainEvent loading = EventOf(EventKind::kProgress);
  loading.phase = "reference";
  loading.done = 1 << 30;
  loading.total = 1 << 30;
  loading.unit = "bytes";
  loading.activity = "loading /m";
  ASSERT_TRUE(Track(EncodeEvent(loading)));
  EXPECT_FALSE(progressed());
  EXPECT_EQ(job_.reference_records, 0);
  EXPECT_EQ(job_.progress.activity, "loading /m");
}

TEST_F(ProgressTrackerTest, AnActivityWithoutNumbersLeavesThoseOfThePhase) {
  TrainEvent event = EventOf(EventKind::kProgress);
  event.phase = "reference";
  event.done = 20;
  event.total = 68;
  event.unit = "responses";
  Track(EncodeEvent(event));
  event.done = event.total = 0;
  event.unit.clear();
  event.activity = "scoring: 3 of 16 responses";
  Track(EncodeEvent(event));
  EXPECT_EQ(job_.progress.done, 20);
  EXPECT_EQ(job_.progress.total, 68);
  EXPECT_EQ(job_.progress.activity, "scoring: 3 of 16 responses");
  event.activity = std::string(2000, 'x');
  Track(EncodeEvent(event));
  EXPECT_EQ(job_.progress.activity.size(), 500u);
}

TEST_F(ProgressTrackerTest, AStepEndsWhatWasDoneForIt) {
  Track(PhaseLine("train"));
  TrainEvent event = EventOf(EventKind::kProgress);
  event.phase = "train";
  event.done = 100;
  event.total = 4096;
  event.unit = "bytes";
  event.activity = "loading /m";
  Track(EncodeEvent(event));
  Track(StepLine(1, 40, 0.5));
  EXPECT_EQ(job_.progress.done, 1);
  EXPECT_EQ(job_.progress.total, 40);
  EXPECT_EQ(job_.progress.unit, "steps");
  EXPECT_EQ(job_.progress.activity, "");
  event = EventOf(EventKind::kProgress);
  event.phase = "train";
  event.activity = "evaluating: 8 of 512 pairs";
  Track(EncodeEvent(event));
  EXPECT_EQ(job_.progress.activity, "evaluating: 8 of 512 pairs");
  Track(EncodeEvent(EventOf(EventKind::kEvaluation)));
  EXPECT_EQ(job_.progress.activity, "");
}

TEST_F(ProgressTrackerTest, StepsUpdateNumbersAndMetrics) {
  Track(PhaseLine("train"));
  ASSERT_TRUE(Track(StepLine(7, 40, 0.5)));
  EXPECT_EQ(job_.progress.step, 7);
  EXPECT_EQ(job_.progress.total_steps, 40);
  EXPECT_EQ(job_.progress.done, 7);
  EXPECT_EQ(job_.progress.unit, "steps");
  EXPECT_EQ(job_.progress.metrics.at("loss"), 0.5);
  TrainEvent evaluation = EventOf(EventKind::kEvaluation);
  evaluation.step = 7;
  evaluation.metrics["eval_loss"] = 0.4;
  Track(EncodeEvent(evaluation));
  EXPECT_EQ(job_.progress.metrics.size(), 2u);
}

// After a restore, or when an attempt's last events were fenced, the next one finds the checkpoint
// of the last step, has no step to make, and would end as if 16 of 40 had been enough.
TEST_F(ProgressTrackerTest, ARunResumedAfterItsLastStepStandsAtThatStep) {
  Track(PhaseLine("train"));
  Track(StepLine(16, 40, 0.5));
  Track(CheckpointLine(35));
  Track(CheckpointLine(40));  // found in the output folder
  EXPECT_EQ(job_.progress.step, 40);
  EXPECT_EQ(job_.progress.done, 40);
  EXPECT_EQ(job_.progress.total, 40);
}

TEST_F(ProgressTrackerTest, AnEvaluationOrAResultOfALaterStepShowsIt) {
  Track(PhaseLine("train"));
  Track(StepLine(16, 40, 0.5));
  TrainEvent evaluation = EventOf(EventKind::kEvaluation);
  evaluation.step = 39;
  evaluation.total = 40;
  Track(EncodeEvent(evaluation));
  EXPECT_EQ(job_.progress.step, 39);
  TrainEvent result = EventOf(EventKind::kResult);
  result.step = 40;
  Track(EncodeEvent(result));
  EXPECT_EQ(job_.progress.step, 40);
  EXPECT_EQ(job_.progress.total_steps, 40);
}

TEST_F(ProgressTrackerTest, ACheckpointReportedLateLeadsNotBackButAStepDoes) {
  Track(PhaseLine("train"));
  Track(StepLine(23, 40, 0.5));
  Track(CheckpointLine(20));  // written beside training
  EXPECT_EQ(job_.progress.step, 23);
  Track(StepLine(21, 40, 0.5));  // resumed there
  EXPECT_EQ(job_.progress.step, 21);
  TrainEvent result = EventOf(EventKind::kResult);
  Track(EncodeEvent(result));  // of a kind without steps
  EXPECT_EQ(job_.progress.step, 21);
}

TEST_F(ProgressTrackerTest, ABadCheckpointCountsNoLongerAndWritingItAgainIsNoProgress) {
  Track(CheckpointLine(200));
  Track(CheckpointLine(400));
  job_.attempts.back().progressed = false;
  TrainEvent bad = EventOf(EventKind::kCheckpointBad);
  bad.step = 400;
  bad.message = "model.safetensors has another SHA-256";
  ASSERT_TRUE(Track(EncodeEvent(bad)));
  ASSERT_EQ(job_.checkpoints.size(), 1u);
  EXPECT_EQ(job_.checkpoint_step, 200);
  EXPECT_EQ(job_.bad_checkpoints,
            (std::vector<BadCheckpoint>{{400, job_.attempts.back().number, bad.message, kLater}}));
  Track(CheckpointLine(400));
  EXPECT_EQ(job_.checkpoint_step, 400);
  EXPECT_FALSE(progressed()) << "or a disk that damages it each time would keep the job forever";
  Track(CheckpointLine(600));
  EXPECT_TRUE(progressed());
}

TEST_F(ProgressTrackerTest, OnlyANewerCheckpointIsProgress) {
  job_.requeues = 3;
  job_.attempts_without_progress = 2;
  Track(CheckpointLine(200));
  EXPECT_EQ(job_.checkpoint_step, 200);
  EXPECT_TRUE(progressed());
  EXPECT_EQ(job_.requeues, 0);
  EXPECT_EQ(job_.attempts_without_progress, 0);
  job_.attempts.back().progressed = false;
  Track(CheckpointLine(200));
  Track(CheckpointLine(100));
  EXPECT_EQ(job_.checkpoint_step, 200);
  EXPECT_FALSE(progressed());
}

TEST_F(ProgressTrackerTest, ResultAndErrorAreKept) {
  TrainEvent result = EventOf(EventKind::kResult);
  result.metrics = {{"eval_rewards/accuracies", 0.8}};
  result.texts = {{"device_name", "a GPU"}};
  Track(EncodeEvent(result));
  EXPECT_EQ(job_.result, result.metrics);
  EXPECT_EQ(job_.result_texts, result.texts);
  TrainEvent error = EventOf(EventKind::kError);
  error.error_class = "memory";
  error.message = "CUDA out of memory";
  Track(EncodeEvent(error), 3);
  EXPECT_EQ(job_.attempts.back().last_error, "CUDA out of memory");
}

TEST_F(ProgressTrackerTest, OtherRanksDoNotMoveTheNumbers) {
  EXPECT_FALSE(Track(StepLine(9, 40, 0.5), 1));
  EXPECT_EQ(job_.progress.step, 0);
  Track(CheckpointLine(5), 1);
  EXPECT_EQ(job_.checkpoint_step, 5);
}

TEST_F(ProgressTrackerTest, WhatIsNotAnEventChangesNothing) {
  const Job before = job_;
  for (const char* line : {"", "garbage", "{}", "[1]", R"({"v":1,"kind":"of-tomorrow"})"}) {
    EXPECT_FALSE(Track(line)) << line;
  }
  EXPECT_EQ(job_, before);
}

TEST(ShowsWork, IsPhaseProgressOrStep) {
  EXPECT_TRUE(ShowsWork(EventIn(PhaseLine("prepare"))));
  EXPECT_TRUE(ShowsWork(EventIn(StepLine(1, 2, 3))));
  EXPECT_FALSE(ShowsWork(EventIn(CheckpointLine(1))));
  EXPECT_FALSE(ShowsWork(EventIn("garbage")));
}

}  // namespace
}  // namespace fpo::coordinator
