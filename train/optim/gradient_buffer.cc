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

void GradientBuffer::Collect() { Collect(0, parameters_.size()); }

void GradientBuffer::Collect(size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) {
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
  Clear(0, parameters_.size());
}

std::vector<at::Tensor> GradientBuffer::Values(size_t first, size_t count) {
  Collect(first, count);
  std::vector<at::Tensor> values;
  for (size_t i = first; i < first + count; ++i) values.push_back(sums_[i].Value());
  return values;
}

void GradientBuffer::Clear(size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) {
    sums_[i].Clear();
    parameters_[i].mutable_grad().reset();
  }
}

bool GradientBuffer::IsEmpty(size_t first, size_t count) const {
  for (size_t i = first; i < first + count; ++i) {
    if (!sums_[i].is_empty() || parameters_[i].grad().defined()) return false;
  }
  return true;
}

}  // namespace fpo::train
