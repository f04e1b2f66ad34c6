#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "common/features/feature_report.h"

namespace fpo::train {

// Sums over responses of one side, for every feature of an SAE: [features] each, in float64.
// Nothing of size [responses, features] is kept. Not thread-safe.
class FeatureSums {
 public:
  explicit FeatureSums(int64_t features);

  // Codes of some responses under reference and policy, [responses, features] on any device.
  void Add(const at::Tensor& before, const at::Tensor& after);

  int64_t responses() const { return responses_; }
  // |mean change| of each feature, [features] float64; zeros without responses.
  at::Tensor Movement() const;
  FeatureSide Side(int64_t feature) const;

 private:
  int64_t responses_ = 0;
  at::Tensor before_, after_;                // sums of codes
  at::Tensor moved_, squared_;               // of |after - before| and its square
  at::Tensor active_before_, active_after_;  // responses with a code above 0
};

// Indices of the `count` largest values [n] that are above 0, the largest first; ties go to the
// lowest index.
std::vector<int64_t> Largest(const at::Tensor& values, int64_t count);

}  // namespace fpo::train
