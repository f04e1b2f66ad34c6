#include "train/judge/judge_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

Verdict Weighted(double first, double mass = 0.5) {
  Verdict verdict;
  verdict.first = first;
  verdict.is_weighted = true;
  verdict.mass = mass;
  verdict.prompt_tokens = 10;
  verdict.answer_tokens = 1;
  return verdict;
}

AnswerPairs ThreePairs() {
  AnswerPairs answers;
  answers.model = "m";
  answers.baseline = "base";
  answers.baseline_rows = 3;
  for (int i = 0; i < 3; ++i) {
    answers.pairs.push_back({i, absl::StrCat("q", i), "", "xxxx", "xx"});
  }
  return answers;
}

TEST(JudgeResultsTest, BothOrdersCountAlike) {
  const Verdict a = Weighted(0.25), b = Weighted(0.5), none;
  EXPECT_DOUBLE_EQ(*PreferenceOf({&a, &b}), (0.75 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(*PreferenceOf({&a, nullptr}), 0.75);  // the baseline's answer stood first
  EXPECT_DOUBLE_EQ(*PreferenceOf({nullptr, &a}), 0.25);
  EXPECT_DOUBLE_EQ(*PreferenceOf({&none, &a}), 0.25);
  EXPECT_FALSE(PreferenceOf({&none, nullptr}).has_value());
}

TEST(JudgeResultsTest, ABiasForAPlaceMakesADraw) {
  const Verdict first = Weighted(1), other = Weighted(0.2);
  const std::vector<PairVerdicts> verdicts = {{&first, &first}, {&other, &first}, {&first, &other}};
  const auto summary = Summarise(ThreePairs(), verdicts, nullptr, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->rate.draws, 1);  // always the first answer
  EXPECT_EQ(summary->rate.wins, 1);
  EXPECT_EQ(summary->rate.losses, 1);
  EXPECT_EQ(summary->disagreements, 1);
  EXPECT_EQ(summary->both_orders, 3);
  EXPECT_NEAR(summary->first_share, (4 + 0.4) / 6, 1e-12);
  EXPECT_NEAR(summary->rate.percent, 100 * (0.5 + 0.9 + 0.1) / 3, 1e-9);
  EXPECT_LE(summary->interval.low, summary->rate.percent);
  EXPECT_GE(summary->interval.high, summary->rate.percent);
  EXPECT_DOUBLE_EQ(summary->mass, 0.5);
  EXPECT_EQ(summary->prompt_tokens, 60);
  EXPECT_EQ(summary->model_length, 2);
  EXPECT_EQ(summary->baseline_length, 4);
}

TEST(JudgeResultsTest, WhatNamesNoAnswerCountsNowhere) {
  const Verdict none, good = Weighted(1);
  const std::vector<PairVerdicts> verdicts = {{&none, &none}, {&none, &good}, {nullptr, &good}};
  const auto summary = Summarise(ThreePairs(), verdicts, nullptr, {});
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->rate.count, 2);
  EXPECT_EQ(summary->unclear, 3);
  EXPECT_DOUBLE_EQ(summary->rate.percent, 100);
  const std::vector<PairVerdicts> nothing(3, PairVerdicts{&none, &none});
  EXPECT_FALSE(Summarise(ThreePairs(), nothing, nullptr, {}).ok());
}

TEST(JudgeResultsTest, ATableOfAnotherSetIsRefused) {
  AlpacaCalibration calibration;
  calibration.difficulties = {1, 2};
  const Verdict good = Weighted(1);
  const std::vector<PairVerdicts> verdicts(3, PairVerdicts{&good, &good});
  const auto summary = Summarise(ThreePairs(), verdicts, &calibration, {});
  EXPECT_THAT(std::string(summary.status().message()),
              HasSubstr("of 2 instructions, and the baseline answers 3"));
}

TEST(JudgeResultsTest, LengthIsControlledByTheBaselinesPlaces) {
  AnswerPairs answers;
  answers.baseline_rows = 40;
  AlpacaCalibration calibration;
  std::vector<Verdict> said;
  for (int i = 0; i < 40; ++i) {
    const int place = (i * 7) % 40;  // another order than the table's
    answers.pairs.push_back({place, "q", "", std::string(static_cast<size_t>(30 + i % 5), 'x'),
                             std::string(static_cast<size_t>(10 + i), 'x')});
    said.push_back(Weighted(1 / (1 + std::exp(0.1 * place - 2))));
  }
  for (int i = 0; i < 40; ++i) calibration.difficulties.push_back(0.1 * i - 2);
  std::vector<PairVerdicts> verdicts;
  for (const Verdict& verdict : said) verdicts.push_back({&verdict, nullptr});
  const auto summary = Summarise(answers, verdicts, &calibration, {.rounds = 20});
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_TRUE(summary->controlled.has_value());
  EXPECT_NEAR(summary->controlled->weights.difficulty, 1, 0.2);  // the preference is its sigmoid
}

TEST(JudgeResultsTest, RowsAreAlpacaEvalsAnnotations) {
  AnswerPairs answers = ThreePairs();
  answers.pairs[0].dataset = "d";
  const Verdict a = Weighted(0.25), none;
  const auto row =
      nlohmann::json::parse(AnnotationRow(answers, answers.pairs[0], {&a, &none}, "judge"));
  EXPECT_EQ(row["instruction"], "q0");
  EXPECT_EQ(row["output_1"], "xxxx");
  EXPECT_EQ(row["generator_1"], "base");
  EXPECT_EQ(row["output_2"], "xx");
  EXPECT_EQ(row["generator_2"], "m");
  EXPECT_EQ(row["annotator"], "judge");
  EXPECT_EQ(row["dataset"], "d");
  EXPECT_EQ(row["preference"], 1.75);
  EXPECT_EQ(row["preference_baseline_first"], 1.75);
  EXPECT_TRUE(row["preference_model_first"].is_null());
}

}  // namespace
}  // namespace fpo::train
