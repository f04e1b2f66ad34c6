#include "common/evaluation/agreement.h"

#include <cmath>
#include <vector>

#include "common/evaluation/sparse_logistic.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

double InEighths(double share) { return std::round(8 * share) / 8; }

// The pairs of tests/golden/make_calibration_goldens.py.
std::vector<JudgedTwice> PairsByFormula() {
  std::vector<JudgedTwice> pairs;
  for (int i = 0; i < 90; ++i) {
    pairs.push_back(
        {InEighths(Sigmoid(2.5 * std::sin(1.7 * i + 0.3))),
         InEighths(Sigmoid(1.9 * std::sin(1.7 * i + 0.9) + 0.8 * std::cos(3.1 * i) + 0.4)), i});
  }
  return pairs;
}

TEST(AgreementTest, IsThatOfScikitLearnAndScipy) {
  const auto agreement = AgreementOf(PairsByFormula(), {});
  ASSERT_TRUE(agreement.ok());
  EXPECT_EQ(agreement->pairs, 90);
  EXPECT_NEAR(agreement->same, 67 / 90.0, 1e-15);
  EXPECT_NEAR(agreement->kappa, 0.5542635658914727, 1e-14);
  EXPECT_NEAR(agreement->sensitivity, 0.8372093023255814, 1e-14);
  EXPECT_NEAR(agreement->specificity, 0.7142857142857143, 1e-14);
  EXPECT_NEAR(agreement->rank_correlation, 0.7357297810461395, 1e-14);
  EXPECT_NEAR(agreement->bias, 0.06388888888888888, 1e-14);
  EXPECT_EQ(agreement->counts[0][0] + agreement->counts[0][1] + agreement->counts[0][2], 42);
  EXPECT_EQ(agreement->counts[0][2] + agreement->counts[1][2] + agreement->counts[2][2], 46);
  EXPECT_LT(agreement->kappa_interval.low, agreement->kappa);
  EXPECT_GT(agreement->kappa_interval.high, agreement->kappa);
}

TEST(AgreementTest, AJudgeThatSaysTheSameOfEverythingAgreesByChance) {
  const auto agreement = AgreementOf({{1, 1, 0}, {0, 1, 1}, {1, 1, 2}, {0.5, 1, 3}}, {});
  ASSERT_TRUE(agreement.ok());
  EXPECT_EQ(agreement->same, 0.5);
  EXPECT_EQ(agreement->kappa, 0);
  EXPECT_EQ(agreement->sensitivity, 1);
  EXPECT_EQ(agreement->specificity, 0);
  EXPECT_TRUE(std::isnan(agreement->rank_correlation)) << "it ranks nothing";
}

TEST(AgreementTest, WhatHasNothingToRestOnIsNoNumber) {
  const auto wins = AgreementOf({{1, 1, 0}, {0.8, 0.9, 1}}, {});
  ASSERT_TRUE(wins.ok());
  EXPECT_TRUE(std::isnan(wins->specificity));
  EXPECT_TRUE(std::isnan(wins->kappa)) << "there is one winner, so chance agrees always";
  EXPECT_FALSE(AgreementOf({}, {}).ok());
  EXPECT_FALSE(AgreementOf({{1.5, 1, 0}}, {}).ok());
  EXPECT_FALSE(AgreementOf({{1, std::nan(""), 0}}, {}).ok());
}

// Four copies of a question say no more than one.
TEST(AgreementTest, PairsOfAQuestionAreDrawnTogether) {
  std::vector<JudgedTwice> copies;
  for (const JudgedTwice& pair : PairsByFormula()) copies.insert(copies.end(), 4, pair);
  const auto once = AgreementOf(PairsByFormula(), {}), often = AgreementOf(copies, {});
  ASSERT_TRUE(once.ok() && often.ok());
  EXPECT_EQ(often->same, once->same);
  EXPECT_EQ(often->same_interval.low, once->same_interval.low);
  EXPECT_EQ(often->same_interval.high, once->same_interval.high);
}

}  // namespace
}  // namespace fpo
