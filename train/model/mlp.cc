#include "train/model/mlp.h"

#include <ATen/ATen.h>

#include "train/ops/gated_product.h"

namespace fpo::train {

at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights, Activation activation) {
  const at::Tensor gate = Project(x, weights.gate), up = Project(x, weights.up);
  return Project(activation == Activation::kSilu ? Swiglu(gate, up) : Geglu(gate, up),
                 weights.down);
}

}  // namespace fpo::train
