#include "common/evaluation/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace fpo {
namespace {

std::vector<double> MadeUp(int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(0.5 + 0.5 * std::sin(1.7 * i));
  return values;
}

TEST(ResampleTest, EveryRoundDrawsAsManyItemsAndAllOfThemInTime) {
  std::vector<int64_t> seen(50, 0);
  int rounds = 0;
  const auto count = [&](absl::Span<const int32_t> drawn) {
    EXPECT_EQ(std::accumulate(drawn.begin(), drawn.end(), 0), 50);
    for (size_t i = 0; i < drawn.size(); ++i) seen[i] += drawn[i];
    return static_cast<double>(++rounds);
  };
  Bootstrap(50, count, {.rounds = 2000});
  EXPECT_EQ(rounds, 2000);
  // 2000 expected each, with a deviation of 44.
  for (const int64_t times : seen) EXPECT_NEAR(static_cast<double>(times), 2000, 220);
}

TEST(ResampleTest, TheIntervalOfAMeanIsThatOfItsStandardError) {
  const std::vector<double> values = MadeUp(400);
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 400;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = std::sqrt(squares / 399 / 400);
  const Interval interval = BootstrapMean(values, {.rounds = 20000});
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 0.05 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 0.05 * error);
}

TEST(ResampleTest, TheSeedDecides) {
  const std::vector<double> values = MadeUp(30);
  const Interval a = BootstrapMean(values, {.seed = 1}), b = BootstrapMean(values, {.seed = 1}),
                 c = BootstrapMean(values, {.seed = 2});
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

TEST(ResampleTest, PairsAreDrawnTogether) {
  const std::vector<double> a = MadeUp(100);
  std::vector<double> b = a;
  for (double& value : b) value -= 0.25;
  const Interval paired = PairedBootstrap(a, b, {});
  EXPECT_NEAR(paired.low, 0.25, 1e-12);  // the difference is the same on every question
  EXPECT_NEAR(paired.high, 0.25, 1e-12);
}

TEST(ResampleTest, RoundsWithoutAnAnswerAreLeftOut) {
  int round = 0;
  const Interval some =
      Bootstrap(3, [&](absl::Span<const int32_t>) { return ++round % 2 ? std::nan("") : 7.0; }, {});
  EXPECT_EQ(some.low, 7);
  EXPECT_EQ(some.high, 7);
  const Interval none = Bootstrap(3, [](absl::Span<const int32_t>) { return std::nan(""); }, {});
  EXPECT_TRUE(std::isnan(none.low));
}

TEST(ResampleTest, QuantilesLieBetweenValues) {
  std::vector<double> values = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(QuantileOf(&values, 0), 1);
  EXPECT_DOUBLE_EQ(QuantileOf(&values, 1), 4);
  EXPECT_DOUBLE_EQ(QuantileOf(&values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(QuantileOf(&values, 0.1), 1.3);  // numpy.quantile
}

}  // namespace
}  // namespace fpo
