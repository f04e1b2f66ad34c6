#include "train/model/mlp.h"

#include <ATen/ATen.h>

#include "train/ops/geglu.h"

namespace fpo::train {

at::Tensor Mlp(const at::Tensor& x, const MlpWeights& weights) {
  const at::Tensor activated = Geglu(Project(x, weights.gate), Project(x, weights.up));
  return Project(activated, weights.down);
}

}  // namespace fpo::train
