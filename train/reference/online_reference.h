#pragma once

#include <utility>
#include <vector>

#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/reference/reference_source.h"

namespace fpo::train {

// The reference as a frozen model in memory, run on every batch. Keeps no gradients.
class OnlineReference final : public ReferenceSource {
 public:
  // `saes` empty: log-probs only.
  OnlineReference(Gemma model, std::vector<LoadedSae> saes)
      : model_(std::move(model)), saes_(std::move(saes)) {}
  bool has_distributions() const override { return true; }
  absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                         ReferenceDetail detail) override;

 private:
  Gemma model_;
  std::vector<LoadedSae> saes_;
};

}  // namespace fpo::train
