#include "train/statistics/ridge_logistic.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/statistics/statistics_golden.h"

namespace fpo::train {
namespace {

TEST(RidgeLogistic, FindsTheWeightsOfScikitLearn) {
  const auto golden = nlohmann::json::parse(StatisticsGoldens()).at("ridge");
  SparseRows matrix;
  std::vector<FittedRow> rows;
  for (size_t i = 0; i < golden["rows"].size(); ++i) {
    SparseRow row;
    for (size_t k = 0; k < golden["rows"][i].size(); ++k) {
      const float value = golden["rows"][i][k];
      if (value != 0) row.emplace_back(static_cast<uint32_t>(k), value);
    }
    matrix.Add(row);
    rows.push_back({static_cast<int64_t>(i), golden["negated"][i].get<bool>()});
  }
  std::vector<double> weights(8, 0);
  for (const auto& fit : golden["fits"]) {  // each starts where the one before ended
    weights = FitRidgeLogistic(matrix, rows, fit[0], weights);
    for (size_t k = 0; k < weights.size(); ++k) {
      EXPECT_NEAR(weights[k], fit[1][k].get<double>(), 1e-6) << "c " << fit[0] << ", weight " << k;
    }
    EXPECT_EQ(weights[7], 0) << "no row has this column";
  }
}

TEST(RidgeLogistic, SeparableRowsHaveFiniteWeights) {
  SparseRows matrix;
  matrix.Add({{0, 1.0f}});
  const std::vector<double> weights = FitRidgeLogistic(matrix, {{{0, false}}}, 1, {0.0});
  // w = c / (1 + exp(w)).
  EXPECT_NEAR(weights[0], 1 / (1 + std::exp(weights[0])), 1e-9);
  EXPECT_EQ(FitRidgeLogistic(matrix, {}, 1, {0.5})[0], 0) << "only the penalty is left";
}

}  // namespace
}  // namespace fpo::train
