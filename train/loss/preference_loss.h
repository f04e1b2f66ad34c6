#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/loss/pair_loss.h"

namespace fpo::train {

enum class Method { kSft, kDpo, kLnDpo, kSimpo, kSimpoKl, kTdpo1, kTdpo2, kFpo, kOrpo, kKto };
absl::StatusOr<Method> ParseMethod(absl::string_view name);  // InvalidArgument lists the names
std::string MethodName(Method method);
bool NeedsReference(Method method);       // log-probs of the reference
bool NeedsKl(Method method);              // sequential KL, so a live reference
int64_t SequencesPerPair(Method method);  // computed together: 1 without a second side

struct PreferenceOptions {
  Method method = Method::kFpo;
  double beta = 0.1;
  double alpha = 0.5;
  double gamma = 0.5;
  double label_smoothing = 0;
  bool stop_gradient = true;  // no gradient through the chosen side's divergence (fpo, tdpo2,
                              // simpo_kl)
  bool budget = false;        // alpha weighs BudgetPenalty beside the loss, and no term of u
  PairLossKind loss = PairLossKind::kSigmoid;  // of u; orpo has its own
  // fpo's constraint on the margin of another method (method.constraint: features).
  bool feature_constraint = false;
  double sft_weight = 0;                                // of the SFT term; see SftWeight
  double desirable_weight = 1, undesirable_weight = 1;  // kto
};

bool NeedsFeatures(const PreferenceOptions& options);  // pooled features of both models
// The weight of the SFT term beside the pairs' loss: sft_weight, and 1 for orpo.
double SftWeight(const PreferenceOptions& options);

// The whole global batch, all ranks and micro-batches, of which a part's loss is a share.
struct GlobalBatch {
  double pairs = 0;          // the sum of their weights
  double chosen_tokens = 0;  // scored tokens of chosen responses; only read by an SFT term
  double kl = 0;             // of kto (KtoKl)
};

// One side (chosen or rejected) of n pairs. All [n]; float64 as ResponseSums gives them.
struct SideValues {
  at::Tensor logp;            // policy, summed over response tokens; the differentiable input
  at::Tensor reference_logp;  // undefined when the method has no reference
  at::Tensor tokens;          // response tokens, any numeric dtype
  at::Tensor divergence;      // D or KL; undefined when the method has none
};

struct PreferencePairs {
  SideValues chosen;
  SideValues rejected;
  at::Tensor weight;  // [n]; undefined: 1. An invalid pair has weight 0 and must be left out of the
                      // global count too.
};

// u = lpd - margin - constraint, each [n]. For fpo, with w the chosen and l the rejected side:
//   lpd        = beta (logp_w / tokens_w - logp_l / tokens_l)
//   margin     = beta (reference_logp_w / tokens_w - reference_logp_l / tokens_l)
//   constraint = alpha beta (divergence_l - divergence_w), divergence_w without gradient
// For orpo u is the log odds ratio of the likelihoods per token, without beta (Hong 2024, eq. 7):
//   lpd = log (p_w / (1 - p_w)) - log (p_l / (1 - p_l)), p = exp(logp / tokens)
// docs/methods.md has the terms of all methods.
struct PreferenceTerms {
  at::Tensor lpd;
  at::Tensor margin;
  at::Tensor constraint;
  at::Tensor u;
};

// The rewards of the metrics, each [n]: no constraint, no gamma.
struct PreferenceRewards {
  at::Tensor chosen;
  at::Tensor rejected;
};

// Throws c10::Error when an input the method needs is undefined or of another length, and for
// sft and kto, which have no pairs.
PreferenceTerms ComputeTerms(const PreferenceOptions& options, const PreferencePairs& pairs);
PreferenceRewards ComputeRewards(const PreferenceOptions& options, const PreferencePairs& pairs);

// Each pair's loss of u, [n]; for orpo -beta log sigmoid(u). Without the SFT term.
at::Tensor PairLoss(const PreferenceOptions& options, const PreferencePairs& pairs);

// This part's share of the batch loss: sum of weight * PairLoss over the given pairs, with a budget
// plus BudgetPenalty, divided by the sum of weights over the whole global batch, plus SftWeight *
// SftLoss of the chosen sides. Scalar; the shares add up to the loss for any split into
// micro-batches and ranks.
at::Tensor PreferenceLoss(const PreferenceOptions& options, const PreferencePairs& pairs,
                          const GlobalBatch& global);

// -(sum of logp) / (response tokens of the whole global batch). logp: [n]. Scalar.
at::Tensor SftLoss(const at::Tensor& logp, double global_tokens);

}  // namespace fpo::train
