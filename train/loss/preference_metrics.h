#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "train/loss/preference_loss.h"
#include "train/ops/host_values.h"

namespace fpo::train {

// Sums over pairs; add them over micro-batches and ranks (one all-reduce of `sums`), then divide
// once in Report.
struct PreferenceMetrics {
  enum Field {
    kWeight,  // pairs, invalid ones left out
    kLoss,    // of the pairs, without an SFT term
    kRewardsChosen,
    kRewardsRejected,
    kWins,  // chosen > rejected
    kTies,
    kLogpsChosen,
    kLogpsRejected,
    kLogpsWins,  // higher log-prob per token on the chosen side
    kChosenTokens,
    kLogOdds,  // u of orpo
    kDivergenceChosen,
    kDivergenceRejected,
    kFieldCount,
  };
  std::array<double, kFieldCount> sums{};
  bool has_divergence = false;

  PreferenceMetrics& operator+=(const PreferenceMetrics& other);
  // Means under their metrics.jsonl names: loss, rewards/*, logps/*, divergence/*; with an SFT term
  // nll_loss, for orpo log_odds_chosen. Empty without pairs.
  std::vector<std::pair<std::string, double>> Report(const PreferenceOptions& options) const;
};

// Detached: does not extend the autograd graph. The sums reach `metrics` when `values` is read;
// until then `metrics` must not move.
void MeasurePairs(const PreferenceOptions& options, const PreferencePairs& pairs,
                  PreferenceMetrics* metrics, HostValues* values);

}  // namespace fpo::train
