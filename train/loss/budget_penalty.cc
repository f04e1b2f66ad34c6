#include "train/loss/budget_penalty.h"

#include <ATen/ATen.h>

namespace fpo::train {

at::Tensor BudgetPenalty(const PreferencePairs& pairs, double multiplier) {
  return (pairs.chosen.divergence + pairs.rejected.divergence) * (multiplier / 2);
}

}  // namespace fpo::train
