#pragma once

#include <ATen/core/Tensor.h>

#include "train/model/lora.h"

namespace fpo::train {

struct MlpWeights {
  Projection gate;  // [intermediate, hidden]
  Projection up;    // [intermediate, hidden]
  Projection down;  // [hidden, intermediate]
};

// W_down(activation(W_gate x) * (W_up x)): [..., hidden] -> [..., hidden].
at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights, Activation activation);

}  // namespace fpo::train
