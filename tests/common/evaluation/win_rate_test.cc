#include "common/evaluation/win_rate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fpo {
namespace {

TEST(WinRateTest, AnnotationsAreReadAsAlpacaEvalWritesThem) {
  EXPECT_EQ(PreferenceOfAnnotation(1), 0.0);
  EXPECT_EQ(PreferenceOfAnnotation(2), 1.0);
  EXPECT_EQ(PreferenceOfAnnotation(1.25), 0.25);
  EXPECT_EQ(PreferenceOfAnnotation(0), 0.5);  // a draw in older files
  EXPECT_EQ(PreferenceOfAnnotation(1.5), 0.5);
  for (const double other : {0.5, -1.0, 2.001, std::nan("")}) {
    EXPECT_FALSE(PreferenceOfAnnotation(other).has_value()) << other;
  }
  EXPECT_EQ(AnnotationOfPreference(0.25), 1.25);
}

TEST(WinRateTest, MeanErrorAndCounts) {
  const auto rate = WinRateOf({1.0, 0.0, 0.5, 0.75});
  ASSERT_TRUE(rate.ok());
  EXPECT_DOUBLE_EQ(rate->percent, 56.25);
  // Deviations 0.4375, -0.5625, -0.0625, 0.1875; the sum of squares is 0.546875.
  EXPECT_NEAR(rate->standard_error, 100 * std::sqrt(0.546875 / 3 / 4), 1e-12);
  EXPECT_EQ(rate->wins, 2);
  EXPECT_EQ(rate->losses, 1);
  EXPECT_EQ(rate->draws, 1);
  EXPECT_EQ(rate->count, 4);
  EXPECT_TRUE(std::isnan(WinRateOf({1.0})->standard_error));
}

TEST(WinRateTest, NothingAndNonsenseAreErrors) {
  EXPECT_FALSE(WinRateOf({}).ok());
  EXPECT_FALSE(WinRateOf({1.5}).ok());
  EXPECT_FALSE(WinRateOf({std::nan("")}).ok());
}

TEST(WinRateTest, VerdictsFromLogProbabilities) {
  const TokenCandidates candidates = {
      {"A", std::log(0.5)}, {" A", std::log(0.25)}, {"B", std::log(0.125)}, {"The", std::log(0.1)}};
  const auto verdict = VerdictOfLogProbs(candidates, "A", "B");
  ASSERT_TRUE(verdict.has_value());
  EXPECT_NEAR(verdict->first, 0.75 / 0.875, 1e-15);
  EXPECT_NEAR(verdict->mass, 0.875, 1e-15);
  EXPECT_NEAR(VerdictOfLogProbs({{"B", -800.0}}, "A", "B")->first, 0, 0);
  EXPECT_NEAR(VerdictOfLogProbs({{"A", -800.0}, {"B", -800.0}}, "A", "B")->first, 0.5, 1e-15);
  EXPECT_FALSE(VerdictOfLogProbs({{"The", -0.1}}, "A", "B").has_value());
  EXPECT_FALSE(VerdictOfLogProbs({}, "A", "B").has_value());
  // Case matters: AlpacaEval's judge answers m or M.
  EXPECT_NEAR(VerdictOfLogProbs({{"m", std::log(0.9)}, {"M", std::log(0.1)}}, "m", "M")->first, 0.9,
              1e-15);
}

}  // namespace
}  // namespace fpo
