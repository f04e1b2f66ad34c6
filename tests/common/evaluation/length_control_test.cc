#include "common/evaluation/length_control.h"

#include <gtest/gtest.h>

#include <cmath>

#include "common/evaluation/sparse_logistic.h"

namespace fpo {
namespace {

// The formulas of tests/golden/make_evaluation_goldens.py, which has asked alpaca_eval 0.6.6.
double MadeUpDifficulty(int i) { return 2 * std::sin(0.7 * i + 1); }

std::vector<GamedRow> MadeUpGamed() {
  std::vector<GamedRow> rows;
  for (const double sign : {-1.0, 1.0}) {
    for (int i = 0; i < 805; ++i) {
      const double d = MadeUpDifficulty(i);
      rows.push_back({Sigmoid(0.5 * d - 1.2 * sign + 0.4 * std::cos(1.3 * i)),
                      sign + 0.5 * std::sin(0.37 * i), d});
    }
  }
  return rows;
}

std::vector<JudgedLength> MadeUpRows(int count, double strength) {
  std::vector<JudgedLength> rows;
  for (int i = 0; i < count; ++i) {
    const int64_t baseline = 100 + 37 * i % 400, model = 80 + 91 * i % 500;
    const double d = MadeUpDifficulty(i);
    const double preference = Sigmoid(strength + 0.8 * d + 2 * std::sin(2.1 * i) -
                                      1.1 * std::tanh(static_cast<double>(baseline - model) / 200));
    rows.push_back({preference, baseline, model, d});
  }
  return rows;
}

struct GoldenFit {
  int count;
  double strength, percent, standard_error;
  double weights[3];
};

TEST(LengthControlTest, OwnFitIsThatOfAlpacaEval) {
  const GoldenFit goldens[] = {
      {200,
       -1.0,
       34.469865870895205,
       1.1032067424215597,
       {-1.134941661572112, 0.5202777116448978, -0.7387539696594588}},
      {805,
       0.5,
       57.984697314547226,
       0.5806029556508062,
       {-0.9291612896143912, 0.5078780860611708, 0.3621936254224196}},
  };
  for (const GoldenFit& golden : goldens) {
    const auto fit = FitLengthControl(MadeUpRows(golden.count, golden.strength), MadeUpGamed());
    ASSERT_TRUE(fit.ok()) << fit.status();
    // The requirement is 0.1 points; liblinear's own tolerance leaves less than this.
    EXPECT_NEAR(fit->rate.percent, golden.percent, 0.01) << golden.count;
    EXPECT_NEAR(fit->rate.standard_error, golden.standard_error, 0.001);
    EXPECT_NEAR(fit->weights.length, golden.weights[0], 0.005);
    EXPECT_NEAR(fit->weights.difficulty, golden.weights[1], 0.005);
    EXPECT_NEAR(fit->weights.model, golden.weights[2], 0.005);
  }
}

TEST(LengthControlTest, StoredWeightsPredictAsAlpacaEvalDoes) {
  std::vector<double> difficulties;
  for (int i = 0; i < 805; ++i) difficulties.push_back(MadeUpDifficulty(i));
  const auto rate = LengthControlledWinRate({-1.5, 0.75, -0.5}, difficulties);
  ASSERT_TRUE(rate.ok());
  EXPECT_NEAR(rate->percent, 40.3571417521088, 1e-9);
  EXPECT_DOUBLE_EQ(LengthControlledWinRate({}, difficulties)->percent, 50);  // the baseline itself
  EXPECT_FALSE(LengthControlledWinRate({}, {}).ok());
}

TEST(LengthControlTest, LengthIsTakenOut) {
  // A model that wins because of its length alone, and one that is as good at equal length.
  std::vector<JudgedLength> rows = MadeUpRows(805, 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].model_length = rows[i].baseline_length + 200 + static_cast<int64_t>(i % 400);
    const double z = static_cast<double>(200 + i % 400) / 115.6;
    // The gamed models' own effect of length is about 1.2 / tanh(1).
    rows[i].preference = Sigmoid(0.5 * rows[i].difficulty + 1.2 / std::tanh(1) * std::tanh(z));
  }
  std::vector<double> preferences;
  for (const JudgedLength& row : rows) preferences.push_back(row.preference);
  const double raw = WinRateOf(preferences)->percent;
  const auto fit = FitLengthControl(rows, MadeUpGamed());
  ASSERT_TRUE(fit.ok());
  EXPECT_GT(raw, 65);
  EXPECT_LT(std::abs(fit->rate.percent - 50), 5);
}

TEST(LengthControlTest, TheIntervalHoldsTheRate) {
  const std::vector<JudgedLength> rows = MadeUpRows(200, -1.0);
  const auto fit = FitLengthControl(rows, MadeUpGamed());
  ASSERT_TRUE(fit.ok());
  const Interval interval = LengthControlInterval(rows, MadeUpGamed(), *fit, {.rounds = 40});
  EXPECT_LT(interval.low, fit->rate.percent);
  EXPECT_GT(interval.high, fit->rate.percent);
  EXPECT_LT(interval.high - interval.low, 20);
}

TEST(LengthControlTest, WhatCannotBeFittedIsAnError) {
  EXPECT_FALSE(FitLengthControl(MadeUpRows(9, 0), MadeUpGamed()).ok());
  std::vector<JudgedLength> rows = MadeUpRows(20, 0);
  rows[3].preference = 1.5;
  EXPECT_FALSE(FitLengthControl(rows, MadeUpGamed()).ok());
  rows = MadeUpRows(20, 0);
  for (JudgedLength& row : rows) row.model_length = row.baseline_length;
  EXPECT_FALSE(FitLengthControl(rows, MadeUpGamed()).ok());
}

}  // namespace
}  // namespace fpo
