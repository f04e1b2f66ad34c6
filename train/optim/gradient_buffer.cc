#include "train/optim/gradient_buffer.h"

#include <ATen/ATen.h>

#include "train/ops/wide_type.h"

namespace fpo::train {

GradientBuffer::GradientBuffer(const NamedTensors& parameters) {
  for (const auto& [name, parameter] : parameters) {
    parameters_.push_back(parameter);
    sums_.emplace_back(parameter);
  }
}

void GradientBuffer::Collect() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& gradient = parameters_[i].mutable_grad();
    if (!gradient.defined()) continue;
    sums_[i].Take(gradient.detach().to(WideType(parameters_[i])));
    gradient.reset();
  }
}

const std::vector<at::Tensor>& GradientBuffer::gradients() {
  values_.clear();
  for (GradientSum& sum : sums_) values_.push_back(sum.Value());
  return values_;
}

void GradientBuffer::Clear() {
  values_.clear();
  for (GradientSum& sum : sums_) sum.Clear();
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

}  // namespace fpo::train
