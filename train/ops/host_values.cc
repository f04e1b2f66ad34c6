#include "train/ops/host_values.h"

#include <ATen/ATen.h>

namespace fpo::train {

void HostValues::Add(const at::Tensor& scalar, double* out) {
  scalars_.push_back(scalar.detach().to(at::kDouble));
  outs_.push_back(out);
}

void HostValues::Read() {
  if (scalars_.empty()) return;
  const at::Tensor values = at::stack(scalars_).cpu();
  for (size_t i = 0; i < outs_.size(); ++i) *outs_[i] = values.const_data_ptr<double>()[i];
  scalars_.clear();
  outs_.clear();
}

}  // namespace fpo::train
