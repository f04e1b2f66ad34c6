#include "common/evaluation/length_control.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/evaluation/sparse_logistic.h"

namespace fpo {
namespace {

constexpr int kFolds = 5;
constexpr size_t kRowsMin = 10;
constexpr double kGamedWeight = 0.1;  // 0.2, shared by two gamed models

// Ten values from 1e-4 to 1e4, evenly spaced on a logarithmic scale.
std::vector<double> PenaltyChoices() {
  std::vector<double> choices;
  for (int i = 0; i < 10; ++i) choices.push_back(std::pow(10.0, -4 + 8.0 * i / 9));
  return choices;
}

double LengthDifference(const JudgedLength& row) {
  return static_cast<double>(row.baseline_length - row.model_length);
}

// Of the differences, drawn[i] times each, with n - 1 as divisor; 0 when all are the same.
double DeviationOf(absl::Span<const JudgedLength> rows, absl::Span<const int32_t> drawn) {
  double count = 0, sum = 0, squares = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    count += drawn[i];
    sum += drawn[i] * LengthDifference(rows[i]);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double offset = LengthDifference(rows[i]) - sum / count;
    squares += drawn[i] * offset * offset;
  }
  return std::sqrt(squares / (count - 1));
}

std::vector<LogisticRow> Observations(absl::Span<const JudgedLength> rows,
                                      absl::Span<const GamedRow> gamed,
                                      absl::Span<const int32_t> drawn) {
  std::vector<LogisticRow> result;
  result.reserve(rows.size() + gamed.size());
  for (const GamedRow& row : gamed) {
    result.push_back(
        {{std::tanh(row.standard_difference), row.difficulty, 0}, row.preference, kGamedWeight});
  }
  const double deviation = DeviationOf(rows, drawn);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (drawn[i] == 0) continue;
    const double difference = LengthDifference(rows[i]) / deviation;
    result.push_back({{std::tanh(difference), rows[i].difficulty, 1},
                      rows[i].preference,
                      static_cast<double>(drawn[i])});
  }
  return result;
}

LengthControlWeights Named(const std::array<double, 3>& weights) {
  return {weights[0], weights[1], weights[2]};
}

std::vector<double> Predictions(const LengthControlWeights& weights,
                                absl::Span<const double> difficulties) {
  std::vector<double> result;
  result.reserve(difficulties.size());
  for (const double difficulty : difficulties) {
    result.push_back(Sigmoid(weights.model + weights.difficulty * difficulty));
  }
  return result;
}

std::vector<double> DifficultiesOf(absl::Span<const JudgedLength> rows) {
  std::vector<double> result;
  for (const JudgedLength& row : rows) result.push_back(row.difficulty);
  return result;
}

}  // namespace

absl::StatusOr<WinRate> LengthControlledWinRate(const LengthControlWeights& weights,
                                                absl::Span<const double> difficulties) {
  return WinRateOf(Predictions(weights, difficulties));
}

absl::StatusOr<LengthControlFit> FitLengthControl(absl::Span<const JudgedLength> rows,
                                                  absl::Span<const GamedRow> gamed) {
  if (rows.size() < kRowsMin) {
    return absl::InvalidArgumentError(absl::StrCat("a length-controlled win rate needs at least ",
                                                   kRowsMin, " judged answers, here are ",
                                                   rows.size()));
  }
  for (const JudgedLength& row : rows) {
    if (row.preference >= 0 && row.preference <= 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("preference ", row.preference, " is outside 0 to 1"));
  }
  const std::vector<int32_t> once(rows.size(), 1);
  if (DeviationOf(rows, once) == 0) {
    return absl::InvalidArgumentError(
        "all answers differ from the baseline's by the same length, so its effect cannot be told "
        "from the model's");
  }
  const std::vector<LogisticRow> observations = Observations(rows, gamed, once);
  std::vector<int> group;  // as GroupKFold deals rows of equal groups: from the last one
  for (size_t i = observations.size(); i > 0; --i) group.push_back(static_cast<int>(i - 1));
  const ChosenLogistic chosen = FitSparseLogisticCV(observations, group, PenaltyChoices(), kFolds);
  LengthControlFit fit{Named(chosen.weights), chosen.c, {}};
  fit.rate = Describe(Predictions(fit.weights, DifficultiesOf(rows)));
  return fit;
}

Interval LengthControlInterval(absl::Span<const JudgedLength> rows,
                               absl::Span<const GamedRow> gamed, const LengthControlFit& fit,
                               const BootstrapOptions& options) {
  const std::array<double, 3> start = {fit.weights.length, fit.weights.difficulty,
                                       fit.weights.model};
  const auto statistic = [&](absl::Span<const int32_t> drawn) {
    const std::vector<LogisticRow> observations = Observations(rows, gamed, drawn);
    const auto weights = Named(FitSparseLogistic(observations, fit.c, start));
    double sum = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (drawn[i] > 0) {
        sum += drawn[i] * Sigmoid(weights.model + weights.difficulty * rows[i].difficulty);
      }
    }
    return 100 * sum / static_cast<double>(rows.size());
  };
  return Bootstrap(static_cast<int64_t>(rows.size()), statistic, options);
}

}  // namespace fpo
