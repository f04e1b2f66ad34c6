#include "train/model/mlp.h"

#include <ATen/ATen.h>

#include "train/ops/geglu.h"

namespace fpo::train {

at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights) {
  const at::Tensor activated = Geglu(at::linear(x, weights.gate), at::linear(x, weights.up));
  return at::linear(activated, weights.down);
}

}  // namespace fpo::train
