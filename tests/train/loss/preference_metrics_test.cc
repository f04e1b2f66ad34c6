#include "train/loss/preference_metrics.h"

#include <ATen/ATen.h>

#include <map>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

at::Tensor Values(std::vector<double> values) { return at::tensor(values, at::kDouble); }

// Pair 0: a win. Pair 1: a loss. Pair 2: a tie.
PreferencePairs ThreePairs() {
  PreferencePairs pairs;
  pairs.chosen = {Values({-4, -8, -3}), Values({-5, -6, -3}), Values({2, 4, 1}), Values({1, 2, 3})};
  pairs.rejected = {Values({-9, -2, -4}), Values({-6, -6, -4}), Values({3, 2, 2}),
                    Values({4, 5, 6})};
  return pairs;
}

PreferenceMetrics Measured(const PreferenceOptions& options, const PreferencePairs& pairs) {
  PreferenceMetrics metrics;
  HostValues values;
  MeasurePairs(options, pairs, &metrics, &values);
  values.Read();
  return metrics;
}

std::map<std::string, double> Report(const PreferenceMetrics& metrics,
                                     const PreferenceOptions& options = {}) {
  std::map<std::string, double> report;
  for (const auto& [name, value] : metrics.Report(options)) report[name] = value;
  return report;
}

TEST(PreferenceMetrics, FollowTheirDefinitions) {
  auto report = Report(Measured({Method::kDpo, 0.5, 0, 0, 0, true}, ThreePairs()));
  EXPECT_NEAR(report["rewards/chosen"], 0.5 * (1 - 2 + 0) / 3, 1e-15);
  EXPECT_NEAR(report["rewards/rejected"], 0.5 * (-3 + 4 + 0) / 3, 1e-15);
  EXPECT_NEAR(report["rewards/margins"], 0.5 * (-1 - 1) / 3.0, 1e-15);
  EXPECT_NEAR(report["rewards/accuracies"], 1 / 3.0, 1e-15);  // the tie is not a win
  EXPECT_NEAR(report["rewards/ties"], 1 / 3.0, 1e-15);
  EXPECT_NEAR(report["logps/chosen"], -5, 1e-15);
  EXPECT_NEAR(report["logps/rejected"], -5, 1e-15);
  EXPECT_NEAR(report["logps/accuracies"], 1 / 3.0, 1e-15);  // -2 > -3, -2 < -1, -3 < -2
  EXPECT_NEAR(report["divergence/chosen"], 2, 1e-15);
  EXPECT_NEAR(report["divergence/rejected"], 5, 1e-15);
}

TEST(PreferenceMetrics, RewardsLeaveOutConstraintAndGamma) {
  auto fpo = Report(Measured({Method::kFpo, 0.5, 7, 9, 0, true}, ThreePairs()));
  auto ln_dpo = Report(Measured({Method::kLnDpo, 0.5, 0, 0, 0, true}, ThreePairs()));
  EXPECT_DOUBLE_EQ(fpo["rewards/margins"], ln_dpo["rewards/margins"]);
  EXPECT_NEAR(fpo["rewards/chosen"], 0.5 * (1 / 2.0 - 2 / 4.0 + 0) / 3, 1e-15);
  EXPECT_NE(fpo["loss"], ln_dpo["loss"]);
  auto simpo = Report(Measured({Method::kSimpo, 2, 0, 9, 0, true}, ThreePairs()));
  EXPECT_NEAR(simpo["rewards/chosen"], 2 * (-2 - 2 - 3) / 3.0, 1e-14);
}

// The metric is the loss that is trained on: the SFT term is a mean over the batch's tokens, which
// no mean over pairs is.
TEST(PreferenceMetrics, TheLossHasItsSftTerm) {
  const PreferencePairs pairs = ThreePairs();
  PreferenceOptions options = {Method::kDpo, 0.5, 0, 0, 0, true};
  const double plain = Report(Measured(options, pairs), options)["loss"];
  EXPECT_EQ(Report(Measured(options, pairs), options).count("nll_loss"), 0u);
  options.sft_weight = 0.25;
  auto report = Report(Measured(options, pairs), options);
  EXPECT_DOUBLE_EQ(report["nll_loss"], 15.0 / 7);
  EXPECT_DOUBLE_EQ(report["loss"], plain + 0.25 * 15 / 7);
  EXPECT_NEAR(report["loss"], PreferenceLoss(options, pairs, {3, 7}).item<double>(), 1e-14);
}

TEST(PreferenceMetrics, OfOrpo) {
  const PreferencePairs pairs = ThreePairs();
  const PreferenceOptions options = {Method::kOrpo, 0.5, 0, 0, 0, true};
  auto report = Report(Measured(options, pairs), options);
  EXPECT_NEAR(report["rewards/chosen"], 0.5 * (-2 - 2 - 3) / 3.0, 1e-15);
  EXPECT_DOUBLE_EQ(report["nll_loss"], 15.0 / 7);
  EXPECT_DOUBLE_EQ(report["log_odds_chosen"], ComputeTerms(options, pairs).u.mean().item<double>());
  EXPECT_NEAR(report["loss"], PreferenceLoss(options, pairs, {3, 7}).item<double>(), 1e-14);
}

TEST(PreferenceMetrics, AccuracyComparesTheSamePair) {
  PreferencePairs pairs = ThreePairs();
  const PreferenceOptions options = {Method::kSimpo, 1, 0, 0, 0, true};
  const double before = Report(Measured(options, pairs))["rewards/accuracies"];
  const at::Tensor order = at::tensor({1, 2, 0}, at::kLong);
  pairs.rejected.logp = pairs.rejected.logp.index_select(0, order);
  pairs.rejected.tokens = pairs.rejected.tokens.index_select(0, order);
  EXPECT_NE(Report(Measured(options, pairs))["rewards/accuracies"], before);
}

TEST(PreferenceMetrics, PartsAddUpAndInvalidPairsDoNotCount) {
  PreferencePairs pairs = ThreePairs();
  const PreferenceOptions options = {Method::kFpo, 0.5, 0.3, 0, 0, true};
  pairs.weight = Values({1, 1, 0});
  PreferenceMetrics parts = Measured(options, pairs);
  pairs.weight = Values({0, 0, 1});
  parts += Measured(options, pairs);
  const auto whole = Report(Measured(options, ThreePairs()));
  for (const auto& [name, value] : Report(parts)) EXPECT_NEAR(value, whole.at(name), 1e-14) << name;
  EXPECT_TRUE(PreferenceMetrics().Report(options).empty());
}

TEST(PreferenceMetrics, AddsNothingToTheGraph) {
  PreferencePairs pairs = ThreePairs();
  pairs.chosen.logp.set_requires_grad(true);
  Measured({Method::kDpo, 0.5, 0, 0, 0, true}, pairs);
  EXPECT_FALSE(pairs.chosen.logp.grad().defined());
}

}  // namespace
}  // namespace fpo::train
