#include "train/judge/calibrate_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/verdicts/annotations.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using CalibrationJson = nlohmann::json;

class CalibrateJudgeTest : public ::testing::Test {
 protected:
  struct Rows {
    std::string annotator = "judge", model = "m";
    int from = 0, to = 200;
    std::function<double(int)> preference;  // of the model's answer
  };
  std::string Put(const std::string& name, const Rows& rows) {
    CalibrationJson list = CalibrationJson::array();
    for (int i = rows.from; i < rows.to; ++i) {
      list.push_back({{"instruction", absl::StrCat("question ", i)},
                      {"output_1", "b"},
                      {"generator_1", "base"},
                      {"output_2", absl::StrCat("answer of ", rows.model)},
                      {"generator_2", rows.model},
                      {"annotator", rows.annotator},
                      {"preference", 1 + rows.preference(i)}});
    }
    return folder_.Put(name, list.dump());
  }
  // The truth: the model wins two of five. The judge is wrong on every seventh.
  static double Truth(int i) { return i % 5 < 2 ? 1 : 0; }
  static double Judge(int i) { return i % 7 == 0 ? 1 - Truth(i) : Truth(i); }

  void SetUp() override {
    options_.judged = {Put("judged.json", {.preference = Judge})};
    options_.truth = {Put("truth.json", {.annotator = "people", .preference = Truth})};
    options_.out = folder_ / "result.json";
  }
  absl::Status Run() {
    events_.events.clear();
    return CalibrateJudge(options_, events_);
  }
  CalibrationJson Result() const { return CalibrationJson::parse(Slurp(options_.out)); }
  std::string Warnings() const {
    std::string all;
    for (const TrainEvent& event : events_.Of(EventKind::kWarning)) {
      absl::StrAppend(&all, event.message, "\n");
    }
    return all;
  }

  ScratchFolder folder_;
  CalibrateOptions options_;
  RecordingSink events_;
};

TEST_F(CalibrateJudgeTest, SaysHowFarTheyAgree) {
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  const CalibrationJson result = Result();
  EXPECT_EQ(result["pairs"], 200);
  EXPECT_NEAR(result["agreement"], 1 - 29 / 200.0, 1e-12);
  EXPECT_EQ(result["winners_by_truth_and_judge"][2][2].get<int>() +
                result["winners_by_truth_and_judge"][2][0].get<int>(),
            80);
  EXPECT_EQ(result["truth_names"], CalibrationJson::array({"people"}));
  EXPECT_FALSE(result.contains("evaluated"));
  const std::string text = Slurp(options_.out);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Slurp(options_.out), text);
}

// The first 200 of 800 pairs have a truth; all 800 were judged.
TEST_F(CalibrateJudgeTest, CorrectsTheWinRateOfASampledModel) {
  options_.evaluated = Put("all.json", {.to = 800, .preference = Judge});
  options_.judged = {options_.evaluated};
  const absl::Status status = Run();
  ASSERT_TRUE(status.ok()) << status;
  const CalibrationJson evaluated = Result()["evaluated"];
  EXPECT_EQ(evaluated["pairs"], 800);
  EXPECT_EQ(evaluated["pairs_with_truth"], 200);
  EXPECT_GT(evaluated["win_rate_by_judge"], 42.0) << "the judge favours the model";
  EXPECT_NEAR(evaluated["win_rate_prediction_powered"], 40, 1);
  EXPECT_NEAR(evaluated["share_of_wins_misclassification"], 40, 1);
  EXPECT_LT(evaluated["prediction_powered_interval_95"][0], 40.0);
  EXPECT_GT(evaluated["prediction_powered_interval_95"][1], 40.0);
  EXPECT_THAT(Warnings(), Not(HasSubstr("calibrated on answers")));
  EXPECT_THAT(Warnings(), Not(HasSubstr("no truth")));
}

TEST_F(CalibrateJudgeTest, WhatACorrectionTakesForGrantedIsSaid) {
  options_.evaluated =
      Put("other.json", {.model = "n", .from = 100, .to = 300, .preference = Judge});
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(Warnings(), HasSubstr("calibrated on answers of m against base"));
  EXPECT_THAT(Warnings(), HasSubstr("no pair of --evaluated has a truth"));
  EXPECT_THAT(Warnings(), HasSubstr("100 questions are both calibrated with and evaluated"));
  options_.judged = {Put("few.json", {.to = 20, .preference = Judge})};
  options_.evaluated = "";
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(Warnings(), HasSubstr("only 20 pairs"));
  options_.truth = options_.judged;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(Warnings(), HasSubstr("compared with itself"));
}

// Truths of another model calibrate; those of the evaluated one are the sample.
TEST_F(CalibrateJudgeTest, ASampleOfTheEvaluatedPairsStandsForThemAlone) {
  const auto loses = [](int i) { return i % 10 == 0 ? 1.0 : 0.0; };
  options_.evaluated = Put("other.json", {.model = "n", .to = 700, .preference = loses});
  options_.truth.push_back(
      Put("sample.json", {.annotator = "people", .model = "n", .to = 150, .preference = loses}));
  ASSERT_TRUE(Run().ok());
  const CalibrationJson evaluated = Result()["evaluated"];
  EXPECT_EQ(Result()["pairs"], 350);
  EXPECT_EQ(evaluated["prediction_powered_pairs"], 150);
  EXPECT_NEAR(evaluated["win_rate_prediction_powered"], 10, 1e-9);
  EXPECT_THAT(Warnings(), Not(HasSubstr("no pair of --evaluated")));
}

TEST_F(CalibrateJudgeTest, AJudgeThatCannotTellHasNoCorrectedShare) {
  const auto coin = [](int i) { return i % 2 == 0 ? 1.0 : 0.0; };
  options_.evaluated = Put("all.json", {.to = 400, .preference = coin});
  options_.judged = {options_.evaluated};
  ASSERT_TRUE(Run().ok());
  const CalibrationJson evaluated = Result()["evaluated"];
  EXPECT_FALSE(evaluated.contains("share_of_wins_misclassification"));
  EXPECT_THAT(evaluated["misclassification_refused"].get<std::string>(), HasSubstr("tell apart"));
  EXPECT_NEAR(evaluated["win_rate_prediction_powered"], 40, 3);
}

TEST_F(CalibrateJudgeTest, WrongFilesAreErrorsAndLeaveNothing) {
  options_.truth = {Put("else.json", {.from = 900, .to = 950, .preference = Truth})};
  EXPECT_THAT(std::string(Run().message()), HasSubstr("fpo-train judge --pairs"));
  SetUp();
  options_.evaluated = Put("second.json", {.annotator = "another", .preference = Judge});
  EXPECT_THAT(std::string(Run().message()), HasSubstr("several judges"));
  options_.evaluated = options_.judged[0];
  EXPECT_THAT(std::string(Run().message()), HasSubstr("every pair"));
  EXPECT_FALSE(std::filesystem::exists(options_.out));
  options_.evaluated = "";
  options_.out = folder_.Put("mine.json", "{}");
  EXPECT_EQ(ExitCodeOf(Run()), ExitCodeOf(absl::AlreadyExistsError("")));
  EXPECT_EQ(Slurp(options_.out), "{}");
}

TEST_F(CalibrateJudgeTest, TwoJudgesOfOneNameAreToldApartByTheirSummaries) {
  options_.evaluated = Put("all.json", {.to = 400, .preference = Judge});
  folder_.Put("judged.json.summary.json", R"({"judge": {"prompt": "one"}})");
  folder_.Put("all.json.summary.json", R"({"judge": {"prompt": "two"}})");
  EXPECT_THAT(std::string(Run().message()), HasSubstr("name different models"));
  folder_.Put("all.json.summary.json", R"({"judge": {"prompt": "one"}})");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Result()["judge"]["prompt"], "one");
  EXPECT_THAT(Warnings(), Not(HasSubstr("by its name alone")));
}

// GPT-4's annotations of 805 answers are the truth; the judge in question leans to the model, and
// people have looked at every fifth pair. The published win rate is what the correction must find.
TEST_F(CalibrateJudgeTest, FindsAPublishedWinRateWithAFifthOfItsAnnotations) {
  const std::string path =
      SharedData("eval/alpaca_eval/annotations/FuseChat-Gemma-2-9B-Instruct.annotations.json.gz");
  if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
  const auto published = ReadAnnotations(path);
  ASSERT_TRUE(published.ok()) << published.status();
  CalibrationJson truth = CalibrationJson::array(), judged = truth;
  double sum = 0;
  int64_t count = 0;
  for (const Annotation& annotation : *published) {
    if (!annotation.preference) continue;
    sum += *annotation.preference;
    CalibrationJson row{
        {"instruction", annotation.instruction},   {"output_1", annotation.baseline_output},
        {"output_2", annotation.model_output},     {"generator_1", annotation.baseline},
        {"generator_2", annotation.model},         {"annotator", annotation.annotator},
        {"preference", 1 + *annotation.preference}};
    if (count % 5 == 0) truth.push_back(row);
    row["annotator"] = "lenient";
    row["preference"] = 1 + std::min(1.0, 0.25 + 0.5 * *annotation.preference +
                                              0.25 * std::abs(std::sin(0.7 * count)));
    judged.push_back(row);
    ++count;
  }
  options_.truth = {folder_.Put("truth.json", truth.dump())};
  options_.evaluated = folder_.Put("judged.json", judged.dump());
  options_.judged = {options_.evaluated};
  ASSERT_TRUE(Run().ok());
  const CalibrationJson evaluated = Result()["evaluated"];
  const double rate = 100 * sum / static_cast<double>(count);
  const double low = evaluated["prediction_powered_interval_95"][0];
  const double high = evaluated["prediction_powered_interval_95"][1];
  EXPECT_LT(low, rate);
  EXPECT_GT(high, rate);
  EXPECT_LT(high - low, 10) << "the fifth alone gives 14 points";
}

}  // namespace
}  // namespace fpo::train
