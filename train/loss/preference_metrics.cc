#include "train/loss/preference_metrics.h"

#include <ATen/ATen.h>

namespace fpo::train {

PreferenceMetrics& PreferenceMetrics::operator+=(const PreferenceMetrics& other) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
  has_divergence = has_divergence || other.has_divergence;
  return *this;
}

std::vector<std::pair<std::string, double>> PreferenceMetrics::Report(
    const PreferenceOptions& options) const {
  if (sums[kWeight] <= 0) return {};
  const auto mean = [this](Field field) { return sums[field] / sums[kWeight]; };
  const double sft = SftWeight(options);
  const double nll = sft > 0 ? -sums[kLogpsChosen] / sums[kChosenTokens] : 0;
  std::vector<std::pair<std::string, double>> report = {
      {"loss", mean(kLoss) + sft * nll},
      {"rewards/chosen", mean(kRewardsChosen)},
      {"rewards/rejected", mean(kRewardsRejected)},
      {"rewards/margins", mean(kRewardsChosen) - mean(kRewardsRejected)},
      {"rewards/accuracies", mean(kWins)},
      {"rewards/ties", mean(kTies)},
      {"logps/chosen", mean(kLogpsChosen)},
      {"logps/rejected", mean(kLogpsRejected)},
      {"logps/accuracies", mean(kLogpsWins)},
  };
  if (sft > 0) report.emplace_back("nll_loss", nll);
  if (options.method == Method::kOrpo) report.emplace_back("log_odds_chosen", mean(kLogOdds));
  if (has_divergence) {
    report.emplace_back("divergence/chosen", mean(kDivergenceChosen));
    report.emplace_back("divergence/rejected", mean(kDivergenceRejected));
  }
  return report;
}

void MeasurePairs(const PreferenceOptions& options, const PreferencePairs& pairs,
                  PreferenceMetrics* metrics, HostValues* values) {
  const at::NoGradGuard no_grad;
  const PreferenceRewards rewards = ComputeRewards(options, pairs);
  const at::Tensor weight = pairs.weight.defined() ? pairs.weight.to(at::kDouble)
                                                   : at::ones_like(rewards.chosen, at::kDouble);
  const at::Tensor valid = weight.ne(0);
  const auto sum = [&](PreferenceMetrics::Field field, const at::Tensor& value) {
    values->Add(at::where(valid, value.to(at::kDouble) * weight, 0.0).sum(), &metrics->sums[field]);
  };
  values->Add(weight.sum(), &metrics->sums[PreferenceMetrics::kWeight]);
  sum(PreferenceMetrics::kLoss, PairLoss(options, pairs));
  if (options.method == Method::kOrpo) {
    sum(PreferenceMetrics::kLogOdds, ComputeTerms(options, pairs).u);
  }
  sum(PreferenceMetrics::kRewardsChosen, rewards.chosen);
  sum(PreferenceMetrics::kRewardsRejected, rewards.rejected);
  sum(PreferenceMetrics::kWins, rewards.chosen.gt(rewards.rejected));
  sum(PreferenceMetrics::kTies, rewards.chosen.eq(rewards.rejected));
  sum(PreferenceMetrics::kLogpsChosen, pairs.chosen.logp);
  sum(PreferenceMetrics::kLogpsRejected, pairs.rejected.logp);
  if (pairs.chosen.tokens.defined() && pairs.rejected.tokens.defined()) {
    sum(PreferenceMetrics::kChosenTokens, pairs.chosen.tokens);
    sum(PreferenceMetrics::kLogpsWins,
        (pairs.chosen.logp / pairs.chosen.tokens).gt(pairs.rejected.logp / pairs.rejected.tokens));
  }
  if (pairs.chosen.divergence.defined() && pairs.rejected.divergence.defined()) {
    metrics->has_divergence = true;
    sum(PreferenceMetrics::kDivergenceChosen, pairs.chosen.divergence);
    sum(PreferenceMetrics::kDivergenceRejected, pairs.rejected.divergence);
  }
}

}  // namespace fpo::train
