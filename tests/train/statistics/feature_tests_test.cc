#include "train/statistics/feature_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "tests/train/statistics/statistics_golden.h"

namespace fpo::train {
namespace {

SparseRow RowOf(const std::vector<double>& values) {
  SparseRow row;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) row.emplace_back(static_cast<uint32_t>(i), static_cast<float>(values[i]));
  }
  return row;
}

TEST(FeatureTests, AreThoseOfScipyAndLeastSquares) {
  const auto golden = nlohmann::json::parse(StatisticsGoldens()).at("columns");
  FeatureTests tests(5);
  for (size_t i = 0; i < golden["length"].size(); ++i) {
    tests.Add(RowOf(golden["differences"][i].get<std::vector<double>>()), golden["length"][i]);
  }
  const std::vector<FeatureTest> results = tests.Results(golden["pairs_min"]);
  ASSERT_EQ(results.size(), 4u) << "one column differs in a single pair";
  for (const FeatureTest& test : results) {
    const auto& expected = golden["tests"][static_cast<size_t>(test.column)];
    EXPECT_EQ(test.more, expected["more"]);
    EXPECT_EQ(test.less, expected["less"]);
    const std::pair<const char*, double> values[] = {
        {"share", test.share},
        {"mean", test.mean},
        {"effect", test.effect},
        {"p", test.p},
        {"q", test.q},
        {"effect_at_equal_length", test.effect_at_equal_length},
        {"p_at_equal_length", test.p_at_equal_length},
        {"q_at_equal_length", test.q_at_equal_length}};
    for (const auto& [name, value] : values) {
      const double wanted = expected[name];
      EXPECT_NEAR(value, wanted, 1e-9 * std::max(std::abs(wanted), 1e-6))
          << name << " of column " << test.column;
    }
  }
  EXPECT_LT(results[1].q, 0.05) << "what follows the length separates";
  EXPECT_GT(results[1].q_at_equal_length, 0.05) << "and not at equal length";
}

TEST(FeatureTests, ColumnsWithoutVariationAreNotSignificant) {
  FeatureTests tests(1);
  for (int i = 0; i < 20; ++i) tests.Add(RowOf({0.5}), 0);
  const FeatureTest test = tests.Results(1).at(0);
  EXPECT_EQ(test.more, 20);
  EXPECT_EQ(test.effect, 0);
  EXPECT_EQ(test.p_at_equal_length, 1);
  EXPECT_LT(test.p, 1e-5);
  EXPECT_TRUE(FeatureTests(3).Results(1).empty());
}

}  // namespace
}  // namespace fpo::train
