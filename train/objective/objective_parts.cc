#include "train/objective/objective_parts.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

namespace fpo::train {

at::Tensor Total(const at::Tensor& values) { return values.detach().sum(); }

void CountBatch(const SequenceBatch& batch, const ResponseScores& scores, BatchMetrics* metrics,
                HostValues* values) {
  BatchMetrics& m = *metrics;
  m[BatchMetrics::kTokens] = static_cast<double>(batch.real_tokens);
  m[BatchMetrics::kResponseTokens] = static_cast<double>(batch.rows);
  values->Add(Total(scores.entropy), &m[BatchMetrics::kEntropy]);
  if (scores.entropy_top.defined()) {
    values->Add(Total(scores.entropy_top), &m[BatchMetrics::kEntropyTop]);
    m[BatchMetrics::kEntropyTopParts] = 1;
  }
}

SideGradients GradientsOf(const SideSums& sums,
                          const std::function<at::Tensor(const SideSums&)>& loss) {
  const at::AutoGradMode with_grad(true);
  SideSums leaves = sums;
  torch::autograd::variable_list wanted;
  for (at::Tensor* leaf : {&leaves.logp, &leaves.kl}) {
    if (!leaf->defined()) continue;
    *leaf = leaf->detach().set_requires_grad(true);
    wanted.push_back(*leaf);
  }
  const torch::autograd::variable_list gradients =
      torch::autograd::grad({loss(leaves)}, wanted, {}, /*retain_graph=*/false,
                            /*create_graph=*/false, /*allow_unused=*/true);
  return {gradients[0], gradients.size() > 1 ? gradients[1] : at::Tensor()};
}

}  // namespace fpo::train
