#include "train/objective/run_evaluations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/train/support/tiny_run.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/events/exit_status.h"
#include "train/loop/model_loader.h"
#include "train/runs/run_record.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RunEvaluationsTest : public ::testing::Test {
 protected:
  // Nothing improves by that much: the evaluation at step 0 stays the best.
  JobConfig Hopeless(int64_t patience) const {
    JobConfig job = tiny_.Job("simpo");
    job.data.eval = {tiny_.Path("eval.jsonl")};
    job.epochs = 100;
    job.max_steps = 50;
    job.evaluate.every_steps = 2;
    job.checkpoint.every_steps = 3;
    job.evaluate.patience = patience;
    job.evaluate.min_improvement = 100;
    return job;
  }
  nlohmann::json RunJson(const std::string& out) const {
    return nlohmann::json::parse(Slurp(tiny_.Path(out + "/run.json")));
  }
  int64_t StepsOf(const std::string& out) const { return RunJson(out)["steps"].get<int64_t>(); }
  const TinyRun tiny_;
};

TEST_F(RunEvaluationsTest, ARunThatDoesNotImproveEndsAndSaysSo) {
  RecordingSink events;
  const absl::Status status = TrainOnce(Hopeless(3), tiny_.Run("out"), &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(StepsOf("out"), 6);
  EXPECT_EQ(RunJson("out")["total_steps"], 50);
  EXPECT_EQ(ReadMetrics(tiny_.Path("out")).size(), 6u);
  EXPECT_EQ(ReadMetrics(tiny_.Path("out"), true).size(), 4u);  // steps 0, 2, 4 and 6
  const auto results = events.Of(EventKind::kResult);
  ASSERT_EQ(results.size(), 1u);
  const std::string words = results[0].texts.at(kStoppedEarlyText);
  EXPECT_THAT(words, HasSubstr("stopped early at step 6 of 50: eval_loss has not improved by more "
                               "than 100 for 3 evaluations; best step "));
  int64_t said = 0;
  for (const TrainEvent& event : events.Of(EventKind::kPhase)) said += event.message == words;
  EXPECT_EQ(said, 1);
  EXPECT_EQ(RunJson("out")["stopped_early"], words);
  EXPECT_THAT(Slurp(tiny_.Path("out/report.html")), HasSubstr("stopped early at step 6 of 50"));
  EXPECT_TRUE(fs::exists(tiny_.Path("out/model/model.safetensors")));
  EXPECT_TRUE(fs::exists(tiny_.Path("out/checkpoints/step-6")));
}

// The schedule's horizon stays: the steps that were taken are those of the whole run.
TEST_F(RunEvaluationsTest, UntilThenItIsTheRunWithoutPatience) {
  JobConfig job = Hopeless(3);
  job.schedule = {"cosine", 2};
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("early")).ok());
  job.evaluate.patience.reset();
  job.evaluate.min_improvement = 0;
  job.max_steps = 50;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("whole")).ok());
  const auto early = ReadMetrics(tiny_.Path("early")), whole = ReadMetrics(tiny_.Path("whole"));
  ASSERT_EQ(early.size(), 6u);
  for (size_t i = 0; i < early.size(); ++i) {
    for (const char* name : {"lr", "loss", "grad_norm"}) {
      EXPECT_EQ(early[i].at(name), whole[i].at(name)) << name << " of step " << i + 1;
    }
  }
}

// The counter is part of the checkpoint: without it the run would go on to step 14.
TEST_F(RunEvaluationsTest, ARunThatIsContinuedEndsWhereAnUnbrokenOneDoes) {
  ASSERT_TRUE(TrainOnce(Hopeless(4), tiny_.Run("whole")).ok());
  ASSERT_EQ(StepsOf("whole"), 8);
  JobConfig job = Hopeless(4);
  job.max_steps = 6;
  RunOptions options = tiny_.Run("parts");
  options.resume = true;
  ASSERT_TRUE(TrainOnce(job, options).ok());
  job.max_steps = 50;
  ASSERT_TRUE(TrainOnce(job, options).ok());
  EXPECT_EQ(StepsOf("parts"), 8);
  EXPECT_EQ(RunJson("parts")["stopped_early"], RunJson("whole")["stopped_early"]);
  EXPECT_EQ(Slurp(tiny_.Path("parts/model/model.safetensors")),
            Slurp(tiny_.Path("whole/model/model.safetensors")));
}

TEST_F(RunEvaluationsTest, AnEndedRunGoesOnWithMorePatienceAndOnlyThen) {
  RunOptions options = tiny_.Run("out");
  options.resume = true;
  ASSERT_TRUE(TrainOnce(Hopeless(3), options).ok());
  RecordingSink again;
  ASSERT_TRUE(TrainOnce(Hopeless(3), options, &again).ok());
  EXPECT_TRUE(again.Of(EventKind::kStep).empty());
  ASSERT_EQ(again.Of(EventKind::kResult).size(), 1u);
  EXPECT_EQ(again.Of(EventKind::kResult)[0].texts.count(kStoppedEarlyText), 1u);
  ASSERT_TRUE(TrainOnce(Hopeless(5), options).ok());
  EXPECT_EQ(StepsOf("out"), 10);
}

TEST_F(RunEvaluationsTest, TheMetricDecidesWhichCheckpointIsKept) {
  JobConfig job = Hopeless(3);
  job.evaluate.patience.reset();
  job.evaluate.min_improvement = 0;
  job.max_steps = 12;
  job.checkpoint = {2, 1, 1};
  for (const char* metric : {"loss", "logps/chosen"}) {
    job.evaluate.metric = metric;
    job.evaluate.direction = metric == std::string("loss") ? "" : "higher";
    const std::string out = metric == std::string("loss") ? "lower" : "higher";
    ASSERT_TRUE(TrainOnce(job, tiny_.Run(out)).ok());
    const double sign = out == "lower" ? 1 : -1;
    double best = INFINITY, best_step = 0;
    for (const auto& line : ReadMetrics(tiny_.Path(out), true)) {
      const double score = sign * line.at(absl::StrCat("eval_", metric));
      if (line.at("step") > 0 && score < best) best = score, best_step = line.at("step");
    }
    const std::string kept = absl::StrCat(out, "/checkpoints/step-", best_step);
    ASSERT_TRUE(fs::exists(tiny_.Path(kept))) << kept;
    const auto manifest = nlohmann::json::parse(Slurp(tiny_.Path(kept + "/manifest.json")));
    EXPECT_EQ(manifest["score"].get<double>(), best);
  }
}

TEST_F(RunEvaluationsTest, AMetricThatIsNotMeasuredStopsTheJobBeforeItsFirstStep) {
  JobConfig job = Hopeless(3);
  job.evaluate.metric = "kl/chosen";
  RecordingSink events;
  const absl::Status status = TrainOnce(job, tiny_.Run("out"), &events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("they have eval_"));
  EXPECT_TRUE(events.Of(EventKind::kStep).empty());
}

// The weights are put onto the budget as at any other end, and measured again.
TEST_F(RunEvaluationsTest, ARunWithABudgetEndsOnItEarlyToo) {
  JobConfig job = Hopeless(20);
  job.method = tiny_.Job("fpo").method;
  job.reference = tiny_.Job("fpo").reference;
  job.sae = tiny_.Job("fpo").sae;
  job.constraint.budget = 0.004;
  job.optimizer.lr = 3e-3;
  job.epochs = 1000;
  job.max_steps = 600;
  job.evaluate.every_steps = 6;
  job.checkpoint.every_steps = 60;
  RecordingSink events;
  const absl::Status status = TrainOnce(job, tiny_.Run("out"), &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(StepsOf("out"), 120);
  const auto result = ReadRunResult(tiny_.Path("out/run.json"));
  ASSERT_TRUE(result.ok());
  const auto& metrics = result->metrics;
  EXPECT_NE(metrics.at("constraint/moved"), 1);
  EXPECT_NEAR(
      (metrics.at("eval_divergence/chosen") + metrics.at("eval_divergence/rejected")) / 0.008, 1,
      0.02);
  const auto lines = ReadMetrics(tiny_.Path("out"), true);
  ASSERT_EQ(lines.size(), 22u);  // 0, 6, ... 120, and once more
  EXPECT_EQ(lines[20].at("step"), 120);
  EXPECT_EQ(lines[21].at("step"), 120);
  EXPECT_EQ(lines[21].at("eval_loss"), metrics.at("eval_loss"));
  EXPECT_NE(lines[20].at("eval_loss"), metrics.at("eval_loss"));

  // Killed before its result was written, it ends alike.
  const std::string model = Slurp(tiny_.Path("out/model/model.safetensors"));
  fs::remove_all(tiny_.Path("out/model"));
  fs::remove(tiny_.Path("out/run.json"));
  RunOptions options = tiny_.Run("out");
  options.resume = true;
  RecordingSink resumed;
  ASSERT_TRUE(TrainOnce(job, options, &resumed).ok());
  EXPECT_TRUE(resumed.Of(EventKind::kStep).empty());
  EXPECT_EQ(Slurp(tiny_.Path("out/model/model.safetensors")), model);
  EXPECT_EQ(ReadMetrics(tiny_.Path("out"), true).size(), 22u);
}

}  // namespace
}  // namespace fpo::train
