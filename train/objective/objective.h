#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "train/data/token_file.h"
#include "train/loop/model_loader.h"
#include "train/loss/feature_constraint.h"
#include "train/loss/preference_loss.h"
#include "train/objective/batch_metrics.h"
#include "train/objective/feature_contract.h"
#include "train/objective/pair_values.h"
#include "train/reference/reference_source.h"
#include "train/reference/response_scores.h"

namespace fpo::train {

struct ObjectiveOptions {
  PreferenceOptions preference;
  FeatureConstraintOptions constraint;
  std::vector<LoadedSae> saes;  // with the feature constraint only
  bool activation_checkpointing = false;
  int64_t checkpointed_layers = 0;              // where it is false: of so many
  std::vector<FeatureContract> contracts = {};  // measured without gradients
};

// One micro-batch's share of a step.
struct ObjectivePart {
  at::Tensor loss;        // share of the global batch's mean: shares add up
  double loss_value = 0;  // the value of `loss`
  BatchMetrics metrics;
  PairValues pairs;              // without gradients only: a training step needs no other sums
  ContractSums contracts;        // without gradients only
  double reference_seconds = 0;  // spent waiting for reference values
};

// The training objective of every method on a live model. Keeps references to the model and to the
// reference; the caller chooses whether gradients are recorded. Not thread-safe.
class Objective {
 public:
  // `reference` is null for methods without one; the KL methods need one with distributions.
  Objective(const Gemma& model, ObjectiveOptions options, ReferenceSource* reference);

  absl::StatusOr<ObjectivePart> Compute(const std::vector<TokenPairView>& pairs,
                                        const GlobalBatch& global) const;

  // Of kto: the sum over the examples of log p - log p_ref of their mismatched responses, whose
  // mean over the global batch is its `kl` (KtoKl).
  absl::StatusOr<double> MismatchedLogRatios(const std::vector<TokenPairView>& examples) const;

  // Whether the loss reads the batch's chosen_tokens.
  bool CountsTokens() const;
  const std::vector<FeatureContract>& contracts() const { return options_.contracts; }
  Method method() const { return options_.preference.method; }
  const PreferenceOptions& preference() const { return options_.preference; }
  // Of the steps from now on; a budget adapts it.
  void SetAlpha(double alpha) { options_.preference.alpha = alpha; }
  at::Device device() const { return model_.device(); }

 private:
  struct Distances;
  absl::StatusOr<ObjectivePart> ComputeSft(const std::vector<TokenPairView>& pairs,
                                           const GlobalBatch& global) const;
  absl::StatusOr<ObjectivePart> ComputeKto(const std::vector<TokenPairView>& examples,
                                           const GlobalBatch& global) const;
  ReferenceDetail WantedDetail() const;
  absl::StatusOr<ReferenceValues> ReferenceOf(const std::vector<Sequence>& sequences,
                                              double* seconds) const;
  void MeasureContracts(const SequenceBatch& batch, const HiddenRows& rows,
                        const ReferenceValues& reference, ContractSums* sums) const;
  void MeasureKl(const at::Tensor& kl, const at::Tensor& tokens, BatchMetrics* metrics,
                 HostValues* values) const;
  Distances FeatureDistances(const SequenceBatch& batch, const HiddenRows& rows,
                             const ReferenceValues& reference) const;
  UnitLoss SftUnitLoss(const GlobalBatch& global) const;
  UnitLoss PairUnitLoss(const SequenceBatch& batch, const ReferenceValues& reference,
                        const Distances& distances, const GlobalBatch& global) const;
  at::Tensor SideDistance(size_t sae, const ResponseRows& rows, const at::Tensor& reference) const;
  ScoringOptions Scoring() const;
  const Gemma& model_;
  ObjectiveOptions options_;
  ReferenceSource* reference_;
};

// chosen 0..n-1, then rejected 0..n-1.
std::vector<Sequence> BothSides(const std::vector<TokenPairView>& pairs);

}  // namespace fpo::train
