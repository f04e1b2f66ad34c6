#include "train/model/mlp.h"

#include <ATen/ATen.h>

#include "train/ops/geglu.h"
#include "train/ops/product.h"

namespace fpo::train {

at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights) {
  const at::Tensor activated = Geglu(Linear(x, weights.gate), Linear(x, weights.up));
  return Linear(activated, weights.down);
}

}  // namespace fpo::train
