#pragma once

#include <cstdint>
#include <vector>

#include "train/reference/reference_source.h"

namespace fpo::train {

// Reference values of the right shapes and no meaning, for measuring how long a step takes before
// there are records: equal log-probabilities, and pooled vectors with some active features.
class StandInReference : public ReferenceSource {
 public:
  StandInReference(std::vector<int64_t> features, at::Device device)
      : features_(std::move(features)), device_(device) {}

  absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                         ReferenceDetail detail) override;

 private:
  std::vector<int64_t> features_;  // of each SAE
  at::Device device_;
};

}  // namespace fpo::train
