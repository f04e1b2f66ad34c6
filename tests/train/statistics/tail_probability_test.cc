#include "train/statistics/tail_probability.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/statistics/statistics_golden.h"

namespace fpo::train {
namespace {

TEST(TailProbability, IsThatOfScipy) {
  const auto golden = nlohmann::json::parse(StatisticsGoldens()).at("tails");
  for (const auto& row : golden["beta"]) {
    const double expected = row[3];
    EXPECT_NEAR(IncompleteBeta(row[0], row[1], row[2]), expected, 1e-8 * expected) << row;
  }
  for (const auto& row : golden["signs"]) {
    const double expected = row[2];
    EXPECT_NEAR(SignTest(row[0], row[1]), expected, 1e-9 * expected) << row;
    EXPECT_EQ(SignTest(row[1], row[0]), SignTest(row[0], row[1]));
  }
  for (const auto& row : golden["students"]) {
    const double expected = row[2];
    EXPECT_NEAR(StudentTest(row[0], row[1]), expected, 1e-8 * expected) << row;
  }
  const std::vector<double> rates =
      FalseDiscoveryRates(golden["discovery"][0].get<std::vector<double>>());
  for (size_t i = 0; i < rates.size(); ++i) {
    EXPECT_NEAR(rates[i], golden["discovery"][1][i].get<double>(), 1e-15);
  }
}

TEST(TailProbability, Edges) {
  EXPECT_EQ(IncompleteBeta(2, 3, 0), 0);
  EXPECT_EQ(IncompleteBeta(2, 3, 1), 1);
  EXPECT_EQ(StudentTest(std::numeric_limits<double>::infinity(), 5), 0);
  EXPECT_TRUE(FalseDiscoveryRates({}).empty());
}

}  // namespace
}  // namespace fpo::train
