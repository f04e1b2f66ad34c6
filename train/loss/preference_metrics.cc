#include "train/loss/preference_metrics.h"

#include "train/pch.h"

namespace fpo::train {

PreferenceMetrics& PreferenceMetrics::operator+=(const PreferenceMetrics& other) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
  has_divergence = has_divergence || other.has_divergence;
  return *this;
}

std::vector<std::pair<std::string, double>> PreferenceMetrics::Report() const {
  if (sums[kWeight] <= 0) return {};
  const auto mean = [this](Field field) { return sums[field] / sums[kWeight]; };
  std::vector<std::pair<std::string, double>> report = {
      {"loss", mean(kLoss)},
      {"rewards/chosen", mean(kRewardsChosen)},
      {"rewards/rejected", mean(kRewardsRejected)},
      {"rewards/margins", mean(kRewardsChosen) - mean(kRewardsRejected)},
      {"rewards/accuracies", mean(kWins)},
      {"rewards/ties", mean(kTies)},
      {"logps/chosen", mean(kLogpsChosen)},
      {"logps/rejected", mean(kLogpsRejected)},
      {"logps/accuracies", mean(kLogpsWins)},
  };
  if (has_divergence) {
    report.emplace_back("divergence/chosen", mean(kDivergenceChosen));
    report.emplace_back("divergence/rejected", mean(kDivergenceRejected));
  }
  return report;
}

PreferenceMetrics MeasurePairs(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const at::NoGradGuard no_grad;
  const PreferenceRewards rewards = ComputeRewards(options, pairs);
  const at::Tensor weight = pairs.weight.defined() ? pairs.weight.to(at::kDouble)
                                                   : at::ones_like(rewards.chosen, at::kDouble);
  const at::Tensor valid = weight.ne(0);
  const auto sum = [&](const at::Tensor& value) {
    return at::where(valid, value.to(at::kDouble) * weight, 0.0).sum().item<double>();
  };
  PreferenceMetrics metrics;
  auto& sums = metrics.sums;
  sums[PreferenceMetrics::kWeight] = weight.sum().item<double>();
  sums[PreferenceMetrics::kLoss] =
      sum(PairLoss(ComputeTerms(options, pairs).u, options.label_smoothing));
  sums[PreferenceMetrics::kRewardsChosen] = sum(rewards.chosen);
  sums[PreferenceMetrics::kRewardsRejected] = sum(rewards.rejected);
  sums[PreferenceMetrics::kWins] = sum(rewards.chosen.gt(rewards.rejected));
  sums[PreferenceMetrics::kTies] = sum(rewards.chosen.eq(rewards.rejected));
  sums[PreferenceMetrics::kLogpsChosen] = sum(pairs.chosen.logp);
  sums[PreferenceMetrics::kLogpsRejected] = sum(pairs.rejected.logp);
  if (pairs.chosen.tokens.defined() && pairs.rejected.tokens.defined()) {
    sums[PreferenceMetrics::kLogpsWins] = sum(
        (pairs.chosen.logp / pairs.chosen.tokens).gt(pairs.rejected.logp / pairs.rejected.tokens));
  }
  if (pairs.chosen.divergence.defined() && pairs.rejected.divergence.defined()) {
    metrics.has_divergence = true;
    sums[PreferenceMetrics::kDivergenceChosen] = sum(pairs.chosen.divergence);
    sums[PreferenceMetrics::kDivergenceRejected] = sum(pairs.rejected.divergence);
  }
  return metrics;
}

}  // namespace fpo::train
