#pragma once

#include <ATen/core/Tensor.h>

namespace fpo::train {

struct MlpWeights {
  at::Tensor gate;  // [intermediate, hidden]
  at::Tensor up;    // [intermediate, hidden]
  at::Tensor down;  // [hidden, intermediate]
};

// W_down(gelu_tanh(W_gate x) * (W_up x)): [..., hidden] -> [..., hidden].
at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights);

}  // namespace fpo::train
