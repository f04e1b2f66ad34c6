#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/status.h"
#include "common/features/feature_report.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/reference/sequence_batch.h"
#include "train/sae/sae_health.h"

namespace fpo::train {

// How well an SAE fits a model on responses: L0 and FVU of the activations at their tokens, and
// their cross-entropy when the model goes on with other values at the site than its own: the SAE's
// reconstruction, or zeros. These replace the values at every token of prompt and response but a
// sequence's first (BOS), which SAEs are not trained on. Three forward passes. Not thread-safe.
class SaeFitMeter {
 public:
  // Both outlive the meter.
  SaeFitMeter(const Gemma& model, const LoadedSae& sae);

  absl::Status Add(const std::vector<Sequence>& sequences);
  SaeFit Fit() const;

 private:
  double Losses(const SequenceBatch& batch, const SiteEdit* edit, at::Tensor* rows) const;

  const Gemma& model_;
  const LoadedSae& sae_;
  SaeHealth health_;
  double tokens_ = 0;
  double clean_ = 0, reconstructed_ = 0, zeroed_ = 0;  // sums of -log p over tokens
};

}  // namespace fpo::train
