#include "train/optim/gradient_buffer.h"

#include <ATen/ATen.h>

#include "train/ops/wide_type.h"

namespace fpo::train {

GradientBuffer::GradientBuffer(const NamedTensors& parameters) : sums_(parameters.size()) {
  for (const auto& [name, parameter] : parameters) parameters_.push_back(parameter);
}

void GradientBuffer::Collect() {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& gradient = parameters_[i].mutable_grad();
    if (!gradient.defined()) continue;
    if (sums_[i].defined()) {
      sums_[i].add_(gradient);
    } else {
      sums_[i] = gradient.detach().to(WideType(parameters_[i]));
    }
    gradient.reset();
  }
}

const std::vector<at::Tensor>& GradientBuffer::gradients() {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!sums_[i].defined()) {
      sums_[i] =
          at::zeros_like(parameters_[i], parameters_[i].options().dtype(WideType(parameters_[i])))
              .set_requires_grad(false);
    }
  }
  return sums_;
}

void GradientBuffer::Clear() {
  for (at::Tensor& sum : sums_) sum.reset();
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
}

}  // namespace fpo::train
