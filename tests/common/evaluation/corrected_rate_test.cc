#include "common/evaluation/corrected_rate.h"

#include <cmath>
#include <random>
#include <vector>

#include "common/evaluation/sparse_logistic.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

double TruthByFormula(int i) { return Sigmoid(2.5 * std::sin(1.7 * i + 0.3)); }
double JudgeByFormula(int i) {
  return Sigmoid(1.9 * std::sin(1.7 * i + 0.9) + 0.8 * std::cos(3.1 * i) + 0.4);
}

// The pairs of tests/golden/make_calibration_goldens.py.
struct CalibrationSample {
  std::vector<JudgedTwice> both;
  std::vector<JudgedOnce> judged;
};
CalibrationSample SampleByFormula(bool binary) {
  CalibrationSample sample;
  for (int i = 0; i < 60; ++i) {
    const double truth = TruthByFormula(i);
    sample.both.push_back({binary ? (truth > 0.5 ? 1.0 : 0.0) : truth, JudgeByFormula(i), i});
  }
  for (int i = 60; i < 560; ++i) sample.judged.push_back({JudgeByFormula(i), i});
  return sample;
}

TEST(PredictionPoweredRateTest, IsThatOfPpiPython) {
  const CalibrationSample weighted = SampleByFormula(false), binary = SampleByFormula(true);
  const auto rate = PredictionPoweredRate(weighted.both, weighted.judged);
  ASSERT_TRUE(rate.ok());
  EXPECT_NEAR(rate->percent, 49.76867332584182, 1e-11);
  EXPECT_NEAR(rate->interval_95.low, 44.06067509409721, 1e-11);
  EXPECT_NEAR(rate->interval_95.high, 55.47667155758643, 1e-11);
  const auto shares = PredictionPoweredRate(binary.both, binary.judged);
  ASSERT_TRUE(shares.ok());
  EXPECT_NEAR(shares->percent, 52.80845703433359, 1e-11);
  EXPECT_NEAR(shares->interval_95.low, 43.3635816192258, 1e-11);
  EXPECT_NEAR(shares->interval_95.high, 62.25333244944138, 1e-11);
}

TEST(PredictionPoweredRateTest, AUselessJudgeCountsForNothing) {
  CalibrationSample sample = SampleByFormula(false);
  for (JudgedTwice& pair : sample.both) pair.judge = 0.7;
  for (JudgedOnce& pair : sample.judged) pair.judge = 0.7;
  const auto rate = PredictionPoweredRate(sample.both, sample.judged);
  ASSERT_TRUE(rate.ok());
  EXPECT_EQ(rate->weight, 0);
  double sum = 0;
  for (const JudgedTwice& pair : sample.both) sum += pair.truth;
  EXPECT_NEAR(rate->percent, 100 * sum / 60, 1e-12);
}

// By hand: the judge gives 0.8 where the model won and 0.3 where it lost, and 0.6 on the others.
TEST(MisclassificationRateTest, InvertsTheJudgesErrors) {
  std::vector<JudgedTwice> both;
  std::vector<JudgedOnce> judged;
  for (int i = 0; i < 40; ++i) {
    const bool won = i % 2 == 0;
    both.push_back({won ? 0.9 : 0.1, (won ? 0.8 : 0.3) + (i % 4 < 2 ? 0.1 : -0.1), i});
    judged.push_back({i % 5 < 3 ? 0.8 : 0.3, 100 + i});
  }
  const auto rate = MisclassificationRate(both, judged);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_NEAR(rate->percent, 60, 1e-12);
  // Var = (Var(judged)/40 + p^2 Var(wins)/20 + (1-p)^2 Var(losses)/20) / (m1 - m0)^2
  const double variance = (0.25 * 0.24 / 40 + 0.36 * 0.01 / 20 + 0.16 * 0.01 / 20) / 0.25;
  EXPECT_NEAR(rate->standard_error, 100 * std::sqrt(variance), 1e-10);
}

TEST(MisclassificationRateTest, AJudgeThatCannotTellIsRefused) {
  std::vector<JudgedTwice> both;
  for (int i = 0; i < 40; ++i) both.push_back({i % 2 == 0 ? 1.0 : 0.0, i % 3 == 0 ? 1.0 : 0.0, i});
  const std::vector<JudgedOnce> judged(9, {0.5, 100});
  const auto rate = MisclassificationRate(both, judged);
  EXPECT_EQ(rate.status().code(), absl::StatusCode::kFailedPrecondition) << rate.status();
}

TEST(CorrectedRateTest, TooLittleIsRefused) {
  const CalibrationSample sample = SampleByFormula(true);
  EXPECT_FALSE(PredictionPoweredRate({}, sample.judged).ok());
  EXPECT_FALSE(PredictionPoweredRate(sample.both, {}).ok());
  EXPECT_FALSE(MisclassificationRate({{1, 1, 0}, {1, 0.9, 1}}, sample.judged).ok()) << "no loss";
}

// Rows of one question do not count as several: here each question is there eight times, once with
// a truth.
TEST(CorrectedRateTest, CopiesOfAQuestionDoNotNarrowTheInterval) {
  const CalibrationSample once = SampleByFormula(false);
  CalibrationSample copies;
  for (const JudgedTwice& pair : once.both) copies.both.insert(copies.both.end(), 8, pair);
  for (const JudgedOnce& pair : once.judged) copies.judged.insert(copies.judged.end(), 8, pair);
  const auto a = PredictionPoweredRate(once.both, once.judged);
  const auto b = PredictionPoweredRate(copies.both, copies.judged);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NEAR(a->standard_error, b->standard_error, 0.02);  // its weight has another n - 1
}

// Worlds in which the judge errs: 95 % of the intervals must hold the true rate. 5,000 of them, so
// that the share itself is known within 0.9 points (three standard errors).
class CoverageTest : public ::testing::Test {
 protected:
  static constexpr int kWorlds = 5000;
  double Uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  // The judge's share for a pair that the model won or not: right in 80 or 70 % of them.
  double Judge(bool won) {
    const bool right = Uniform() < (won ? 0.8 : 0.7);
    return (right == won ? 0.6 : 0.0) + 0.4 * Uniform();
  }
  bool Holds(const CorrectedRate& rate, double percent) {
    return rate.interval_95.low <= percent && percent <= rate.interval_95.high;
  }

  std::mt19937_64 random_{20261130};
};

TEST_F(CoverageTest, OfThePredictionPoweredRate) {
  int held = 0, held_without = 0;
  for (int world = 0; world < kWorlds; ++world) {
    CalibrationSample sample;
    double judge = 0;
    for (int i = 0; i < 800; ++i) {
      const bool won = Uniform() < 0.35;
      const double share = Judge(won);
      judge += share / 800;
      if (i < 150) {
        sample.both.push_back({won ? 1.0 : 0.0, share, i});
      } else {
        sample.judged.push_back({share, i});
      }
    }
    const auto rate = PredictionPoweredRate(sample.both, sample.judged);
    ASSERT_TRUE(rate.ok());
    held += Holds(*rate, 35) ? 1 : 0;
    held_without += std::abs(100 * judge - 35) < 2 ? 1 : 0;
  }
  EXPECT_NEAR(held / static_cast<double>(kWorlds), 0.95, 0.015);
  EXPECT_LT(held_without, kWorlds / 100) << "the judge alone is far off";
}

// The calibration's model wins half, the evaluated one a fifth.
TEST_F(CoverageTest, OfTheCorrectionForMisclassification) {
  int held = 0, held_by_the_other = 0;
  for (int world = 0; world < kWorlds; ++world) {
    CalibrationSample sample;
    for (int i = 0; i < 300; ++i) {
      const bool won = Uniform() < 0.5;
      sample.both.push_back({won ? 1.0 : 0.0, Judge(won), i});
    }
    for (int i = 300; i < 1100; ++i) sample.judged.push_back({Judge(Uniform() < 0.2), i});
    const auto rate = MisclassificationRate(sample.both, sample.judged);
    ASSERT_TRUE(rate.ok()) << rate.status();
    held += Holds(*rate, 20) ? 1 : 0;
    const auto other = PredictionPoweredRate(sample.both, sample.judged);
    ASSERT_TRUE(other.ok());
    held_by_the_other += Holds(*other, 20) ? 1 : 0;
  }
  EXPECT_NEAR(held / static_cast<double>(kWorlds), 0.95, 0.015);
  EXPECT_LT(held_by_the_other, kWorlds / 2) << "it assumes the calibration's pairs are of the same";
}

}  // namespace
}  // namespace fpo
