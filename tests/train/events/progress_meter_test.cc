#include "train/events/progress_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/train/support/tiny_run.h"
#include "train/collective/single_process_group.h"
#include "train/runs/run_training.h"

namespace fpo::train {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::SizeIs;

class ToldEvents final : public EventSink {
 public:
  void Emit(TrainEvent event) override { events.push_back(std::move(event)); }
  std::vector<TrainEvent> events;
};

class ProgressMeterTest : public ::testing::Test {
 protected:
  void Pass(absl::Duration time) { now_ += time; }
  const std::vector<TrainEvent>& told() const { return list_.events; }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  ToldEvents list_;
  ProgressMeter meter_{list_, {"prepare", absl::Seconds(2), [this] { return now_; }}};
};

TEST_F(ProgressMeterTest, WorkIsToldAfterTheIntervalWithTheNumbersOfTheOutermost) {
  Work steps({"train", "", 63, 120, "steps"});
  Work step("step 64", 4, "micro-batches");
  step.Advance();
  EXPECT_THAT(told(), SizeIs(0));
  Pass(absl::Seconds(2));
  step.Advance();
  step.Advance();
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].kind, EventKind::kProgress);
  EXPECT_EQ(told()[0].phase, "train");
  EXPECT_EQ(told()[0].done, 63);
  EXPECT_EQ(told()[0].total, 120);
  EXPECT_EQ(told()[0].unit, "steps");
  EXPECT_EQ(told()[0].activity, "step 64: 2 of 4 micro-batches");
}

TEST_F(ProgressMeterTest, TimeThatPassesWithoutWorkIsNotProgress) {
  Work hashing("hashing", 100, "bytes");
  Pass(absl::Hours(1));
  EXPECT_THAT(told(), SizeIs(0));
}

TEST_F(ProgressMeterTest, OtherEventsCountAsMovementAndPassThrough) {
  Work hashing("hashing the weights", 100, "bytes");
  Pass(absl::Seconds(3));
  TrainEvent step;
  step.kind = EventKind::kStep;
  meter_.Emit(step);
  hashing.Advance(10);
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].kind, EventKind::kStep);
  Pass(absl::Seconds(2));
  hashing.Advance(10);
  ASSERT_THAT(told(), SizeIs(2));
  EXPECT_EQ(told()[1].phase, "prepare");  // no piece has named another
  EXPECT_EQ(told()[1].activity, "hashing the weights");
  EXPECT_EQ(told()[1].done, 20);
}

TEST_F(ProgressMeterTest, NumbersAreOfTheOutermostPieceThatHasSome) {
  Work exporting({"finish", "exporting the model", 0, 0, ""});
  Work file("writing model.safetensors", 1000, "bytes");
  Work tensor("tensor", 2, "parts");
  Pass(absl::Seconds(2));
  tensor.Advance();
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].phase, "finish");
  EXPECT_EQ(told()[0].total, 1000);
  EXPECT_EQ(told()[0].unit, "bytes");
  EXPECT_EQ(told()[0].activity,
            "exporting the model, writing model.safetensors, tensor: 1 of 2 parts");
}

TEST_F(ProgressMeterTest, WorkWithoutNumbersIsToldByName) {
  Work loading("starting", 0, "");
  Pass(absl::Seconds(2));
  AdvanceWork(0);
  ASSERT_THAT(told(), SizeIs(1));
  EXPECT_EQ(told()[0].activity, "starting");
  EXPECT_EQ(told()[0].total, 0);
}

TEST(ProgressMeter, LeavesTheListenerThatWasThereBefore) {
  ToldEvents outer, inner;
  const auto noon = [] { return absl::FromUnixSeconds(1000); };
  const ProgressMeter first(outer, {"train", absl::ZeroDuration(), noon});
  { const ProgressMeter second(inner, {"train", absl::ZeroDuration(), noon}); }
  Work work("", 2, "rows");
  work.Advance();
  EXPECT_THAT(outer.events, SizeIs(1));
  EXPECT_THAT(inner.events, SizeIs(0));
}

// Every phase of a run, with a clock by which everything takes long.
TEST(ProgressMeter, NoPartOfARunIsSilent) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.max_steps = 2;
  ToldEvents list;
  absl::Time now = absl::UnixEpoch();
  ProgressMeter meter(list, {"train", absl::Seconds(2), [&] { return now += absl::Seconds(5); }});
  SingleProcessGroup group;
  ASSERT_TRUE(RunTraining(job, tiny.Run("out"), {meter, nullptr, group}).ok());
  std::vector<std::string> told;
  for (const TrainEvent& event : list.events) {
    if (event.kind != EventKind::kProgress) continue;
    told.push_back(
        absl::StrCat(event.phase, " ", event.total, " ", event.unit, ": ", event.activity));
  }
  for (const char* part : {
           "train [0-9]+ bytes: hashing the weights of ",
           "train [0-9]+ bytes: loading ",
           "reference [0-9]+ responses: forward: 1 of ",
           "reference [0-9]+ responses: vocabulary head: ",
           "train 2 steps: checking the reference and the SAE",
           "train 2 steps: evaluating: ",
           "train 2 steps: step 1: 0 of [0-9]+ micro-batches, forward: 1 of ",
           "train 2 steps: step 1: 0 of [0-9]+ micro-batches, backward: 1 of ",
           "train 2 steps: step 1: 0 of [0-9]+ micro-batches, (backward.*, )?vocabulary head: ",
           "train 2 steps: checkpoint of step 2, writing optimizer.safetensors: ",
           "train 2 steps: checkpoint of step 2, hashing model.safetensors: ",
           "finish [0-9]+ bytes: exporting the model, writing model.safetensors",
       }) {
    EXPECT_THAT(told, Contains(ContainsRegex(part)));
  }
}

}  // namespace
}  // namespace fpo::train
