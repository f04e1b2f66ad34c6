#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

enum class Method { kSft, kDpo, kLnDpo, kSimpo, kSimpoKl, kTdpo1, kTdpo2, kFpo };
absl::StatusOr<Method> ParseMethod(absl::string_view name);  // InvalidArgument lists the names
std::string MethodName(Method method);
bool NeedsReference(Method method);  // log-probs of the reference
bool NeedsFeatures(Method method);   // pooled features of both models
bool NeedsKl(Method method);         // sequential KL, so a live reference

struct PreferenceOptions {
  Method method = Method::kFpo;
  double beta = 0.1;
  double alpha = 0.5;
  double gamma = 0.5;
  double label_smoothing = 0;
  bool stop_gradient = true;  // no gradient through the chosen side's divergence (fpo, tdpo2,
                              // simpo_kl)
  bool budget = false;        // alpha weighs BudgetPenalty beside the loss, and no term of u
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

// Throws c10::Error when an input the method needs is undefined or of another length, and for sft.
PreferenceTerms ComputeTerms(const PreferenceOptions& options, const PreferencePairs& pairs);
PreferenceRewards ComputeRewards(const PreferenceOptions& options, const PreferencePairs& pairs);

// -(1 - epsilon) log sigmoid(u) - epsilon log sigmoid(-u), [n] -> [n].
at::Tensor PairLoss(const at::Tensor& u, double label_smoothing);

// This part's share of the batch loss: sum of weight * PairLoss over the given pairs, with a budget
// plus BudgetPenalty, divided by the sum of weights over the whole global batch. Scalar; the shares
// add up to the loss for any split into micro-batches and ranks.
at::Tensor PreferenceLoss(const PreferenceOptions& options, const PreferencePairs& pairs,
                          double global_pairs);

// -(sum of logp) / (response tokens of the whole global batch). logp: [n]. Scalar.
at::Tensor SftLoss(const at::Tensor& logp, double global_tokens);

}  // namespace fpo::train
