#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "train/ops/host_values.h"

namespace fpo::train {

// One of constraint.sets: features whose mean activation over evaluation responses must stay where
// the reference has it.
struct FeatureContract {
  std::string name;
  size_t sae = 0;
  at::Tensor features;  // [c] int64
  double max_change = 0;
  bool relative = true;
  bool chosen = true;  // sides that count
  bool rejected = true;
};

// `widths`: features of each SAE. InvalidArgument names a feature that its SAE does not have, or
// the line of a features_file that is no index or one that was there before.
absl::StatusOr<std::vector<FeatureContract>> MakeContracts(const ConstraintSection& section,
                                                           const std::vector<int64_t>& widths,
                                                           at::Device device);

// How far a set has moved.
struct ContractResult {
  std::string name;
  double change = 0;
  double max_change = 0;
  bool relative = true;
  bool broken() const { return !(change <= max_change); }  // also when it is NaN
};

// Sums over responses from which the changes follow. Parts of a batch add up. Not thread-safe.
class ContractSums {
 public:
  ContractSums() = default;
  explicit ContractSums(const std::vector<FeatureContract>& contracts);

  // Pooled features of one SAE, [2n, features], chosen sides first.
  struct Pooled {
    size_t sae = 0;
    const at::Tensor& policy;
    const at::Tensor& reference;
  };
  // The sums are there when `host` is read; until then the object must not be copied.
  void Set(const std::vector<FeatureContract>& contracts, const Pooled& pooled, HostValues* host);
  ContractSums& operator+=(const ContractSums& other);
  std::vector<double>* packed() { return &packed_; }  // to add over ranks; empty: no contract

  // With p and r the means of feature i under policy and reference over the set's responses:
  // absolute: sum over the set of |p_i - r_i|; relative: that over the sum of |r_i|.
  // InvalidArgument when a relative change has no such sum: the reference never activates the set.
  absl::StatusOr<std::vector<ContractResult>> Results(
      const std::vector<FeatureContract>& contracts) const;

 private:
  // Of each contract: c sums of the policy, c of the reference, the number of responses.
  std::vector<double> packed_;
};

// "the contract refusal is broken at step 40: ...", one a broken set.
std::vector<std::string> DescribeBroken(const std::vector<ContractResult>& results, int64_t step);

// Whether model/ must not be published.
bool RefusesToPublish(const ConstraintSection& section, const std::vector<ContractResult>& results);

// The error of a run that must not, with the way out; `checkpoint`: the folder of its last step.
absl::Status UnpublishedError(const std::vector<ContractResult>& results, int64_t step,
                              const std::string& checkpoint);

}  // namespace fpo::train
