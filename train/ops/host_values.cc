#include "train/ops/host_values.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fpo::train {

void HostValues::Add(const at::Tensor& values, double* out) {
  values_.push_back(values.detach().to(at::kDouble).reshape(-1));
  outs_.push_back(out);
}

void HostValues::Read() {
  if (values_.empty()) return;
  const at::Tensor all = at::cat(values_).cpu();
  const double* next = all.const_data_ptr<double>();
  for (size_t i = 0; i < outs_.size(); ++i) {
    const int64_t count = values_[i].size(0);
    std::copy_n(next, count, outs_[i]);
    next += count;
  }
  values_.clear();
  outs_.clear();
}

}  // namespace fpo::train
