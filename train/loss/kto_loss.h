#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

struct KtoOptions {
  double beta = 0.1;
  double desirable_weight = 1;
  double undesirable_weight = 1;
};

// Responses with a label, all [n].
struct KtoExamples {
  at::Tensor logp;            // policy, summed over response tokens; the differentiable input
  at::Tensor reference_logp;  // no gradient
  at::Tensor desirable;       // bool
};

// A part of the global batch, and its KL.
struct KtoPart {
  const KtoOptions& options;
  const KtoExamples& examples;
  double kl;
};

// beta (logp - reference_logp), [n], without gradient.
at::Tensor KtoRewards(const KtoOptions& options, const KtoExamples& examples);

// Each example's loss, [n] (Ethayarajh 2024, eq. 7 and 8; TRL 1.16's loss_type kto), with
// r = logp - reference_logp and z the KL's estimate, a constant:
//   desirable    desirable_weight (1 - sigmoid(beta (r - z)))
//   undesirable  undesirable_weight (1 - sigmoid(beta (z - r)))
at::Tensor KtoLosses(const KtoOptions& options, const KtoExamples& examples, double kl);

// The estimate of KL(policy || reference) of the whole global batch: the mean over its examples of
// logp - reference_logp of mismatched responses, those of other prompts, at least 0; NaN stays.
double KtoKl(double sum_of_log_ratios, double examples);

}  // namespace fpo::train
