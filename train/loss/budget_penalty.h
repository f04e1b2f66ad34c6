#pragma once

#include <ATen/core/Tensor.h>

#include "train/loss/preference_loss.h"

namespace fpo::train {

// The Lagrangian's term of a budget on the divergence (docs/methods.md): multiplier *
// (divergence_chosen + divergence_rejected) / 2, [n] -> [n]. Both sides have a gradient. The
// constant, -multiplier * budget, is left out: it has none.
at::Tensor BudgetPenalty(const PreferencePairs& pairs, double multiplier);

}  // namespace fpo::train
