#include "train/loss/kto_loss.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fpo::train {
namespace {

at::Tensor LogRatios(const KtoExamples& examples) {
  for (const at::Tensor* input : {&examples.reference_logp, &examples.desirable}) {
    TORCH_CHECK(input->defined() && input->sizes() == examples.logp.sizes(),
                "kto needs log-probs of policy and reference, and a label, of each example");
  }
  return examples.logp - examples.reference_logp;
}

}  // namespace

at::Tensor KtoRewards(const KtoOptions& options, const KtoExamples& examples) {
  return LogRatios(examples).detach() * options.beta;
}

at::Tensor KtoLosses(const KtoOptions& options, const KtoExamples& examples, double kl) {
  const at::Tensor gain = LogRatios(examples) - kl;
  const at::Tensor loss = at::sigmoid(at::where(examples.desirable, -gain, gain) * options.beta);
  return at::where(examples.desirable, loss * options.desirable_weight,
                   loss * options.undesirable_weight);
}

double KtoKl(double sum_of_log_ratios, double examples) {
  return std::max(sum_of_log_ratios / examples, 0.0);
}

}  // namespace fpo::train
