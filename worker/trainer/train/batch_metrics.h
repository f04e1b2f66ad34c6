#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/trainer/loss/preference_metrics.h"

namespace fpo::train {

// Sums behind one line of metrics.jsonl. Added over micro-batches and ranks, divided once.
struct BatchMetrics {
  PreferenceMetrics preference;  // pairwise methods
  double pairs = 0;
  double tokens = 0;  // prompts and responses, padding left out
  double entropy = 0;
  double response_tokens = 0;
  double logp = 0;      // sft: sum over responses
  double relative = 0;  // D / |c_ref|^2, mean of the two sides, summed over pairs
  bool has_divergence = false;

  BatchMetrics& operator+=(const BatchMetrics& other);
  std::vector<double> Pack() const;                // for one all-reduce
  void Unpack(const std::vector<double>& values);  // of Pack's size

  // Means and totals under their metrics.jsonl names. Empty without pairs.
  std::map<std::string, double> Report(Method method) const;
};

}  // namespace fpo::train
