#include "train/objective/set_evaluations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/loop/evaluate_model.h"
#include "train/prepare/eval_sets.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A first set of five pairs, "near", and a second of four, "far".
class SetEvaluationsTest : public ::testing::Test {
 protected:
  SetEvaluationsTest() {
    TokenFileWriter writer;
    for (const TokenPair& pair : RandomPairs(4, 99)) writer.Add(pair);
    EXPECT_TRUE(writer.Write(EvalSetFile(tiny_.Path("prepared"), "far"), {}).ok());
  }
  JobConfig TwoSets(const std::string& method) const {
    JobConfig job = tiny_.Job(method);
    job.data.eval = {tiny_.Path("near.jsonl")};
    job.data.eval_name = "near";
    job.data.more_eval = {{"far", {tiny_.Path("far.jsonl")}}};
    return job;
  }
  const TinyRun tiny_;
};

TEST_F(SetEvaluationsTest, EverySetIsMeasuredAndTheFirstKeepsThePlainNames) {
  RecordingSink events;
  const absl::Status status = TrainOnce(TwoSets("fpo"), tiny_.Run("two"), &events);
  ASSERT_TRUE(status.ok()) << status;
  JobConfig one = TwoSets("fpo");
  one.data.eval_name.clear();
  one.data.more_eval.clear();
  ASSERT_TRUE(TrainOnce(one, tiny_.Run("one")).ok());
  const auto sets = ReadMetrics(tiny_.Path("two"), true),
             alone = ReadMetrics(tiny_.Path("one"), true);
  ASSERT_EQ(sets.size(), alone.size());
  for (size_t i = 0; i < sets.size(); ++i) {
    for (const auto& [name, value] : alone[i]) {
      if (name == "eval_seconds" || !absl::StartsWith(name, "eval_")) continue;
      EXPECT_EQ(sets[i].at(name), value) << name;
      EXPECT_EQ(sets[i].at(absl::StrCat("eval_near_", name.substr(5))), value) << name;
      EXPECT_EQ(sets[i].count(absl::StrCat("eval_far_", name.substr(5))), 1u) << name;
    }
    EXPECT_EQ(sets[i].at("eval_far_pairs"), 4);
    EXPECT_NE(sets[i].at("eval_far_logps/chosen"), sets[i].at("eval_loss"));
  }
  EXPECT_EQ(Slurp(tiny_.Path("two/model/model.safetensors")),
            Slurp(tiny_.Path("one/model/model.safetensors")));
  EXPECT_EQ(Slurp(tiny_.Path("two/evaluations/near/step-2.jsonl")),
            Slurp(tiny_.Path("two/evaluations/step-2.jsonl")));
  const std::string far = Slurp(tiny_.Path("two/evaluations/far/step-2.jsonl"));
  EXPECT_EQ(std::count(far.begin(), far.end(), '\n'), 4);
  EXPECT_EQ(events.Of(EventKind::kResult)[0].metrics.count("eval_far_loss"), 1u);
  EXPECT_THAT(Slurp(tiny_.Path("two/report.html")), HasSubstr("far_loss"));
}

TEST_F(SetEvaluationsTest, AnotherSetThanTheFirstMayDecide) {
  JobConfig job = TwoSets("simpo");
  job.epochs = 100;
  job.max_steps = 50;
  job.evaluate.every_steps = 2;
  job.evaluate.patience = 2;
  job.evaluate.min_improvement = 100;
  job.evaluate.metric = "far/loss";
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("out"), &events).ok());
  EXPECT_THAT(events.Of(EventKind::kResult)[0].texts.at(kStoppedEarlyText),
              HasSubstr("stopped early at step 4 of 50: eval_far_loss has not improved"));
}

TEST_F(SetEvaluationsTest, AModelIsEvaluatedOnEachSet) {
  RecordingSink events;
  EvaluateModelOptions options{"", tiny_.Path("prepared"), "auto", tiny_.Path("evaluation.json")};
  const absl::Status status = EvaluateModel(TwoSets("dpo"), options, events);
  ASSERT_TRUE(status.ok()) << status;
  const auto json = nlohmann::json::parse(Slurp(tiny_.Path("evaluation.json")));
  EXPECT_EQ(json["eval_near_loss"], json["eval_loss"]);
  EXPECT_TRUE(json["eval_far_loss"].is_number());
  EXPECT_TRUE(json["data_digests"]["far"].is_string());
  EXPECT_TRUE(fs::exists(tiny_.Path("evaluation.pairs.jsonl")));
  EXPECT_TRUE(fs::exists(tiny_.Path("evaluation.pairs/far.jsonl")));
}

// Every set is part of what a run began with.
TEST_F(SetEvaluationsTest, ARunGoesOnWithTheSameSetsOnly) {
  JobConfig job = TwoSets("simpo");
  job.epochs = 100;
  RunOptions options = tiny_.Run("out");
  options.resume = true;
  ASSERT_TRUE(TrainOnce(job, options).ok());
  job.max_steps = 6;
  job.data.more_eval.clear();
  const absl::Status status = TrainOnce(job, options);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("data.eval"));
}

TEST_F(SetEvaluationsTest, AFolderPreparedWithoutASetIsRefused) {
  JobConfig job = TwoSets("simpo");
  job.data.more_eval.push_back({"missing", {tiny_.Path("m.jsonl")}});
  const absl::Status status = TrainOnce(job, tiny_.Run("out"));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("eval.missing.safetensors"));
}

}  // namespace
}  // namespace fpo::train
