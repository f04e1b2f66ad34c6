#include "tests/train/ops/finite_difference.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

constexpr double kStep = 1e-6;
constexpr double kTolerance = 2e-7;

}  // namespace

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.detach().to(at::kDouble);
  return ((a.detach().to(at::kDouble) - wide).abs() / (wide.abs() + 1)).max().item<double>();
}

void ExpectGradientsMatchDifferences(const TensorFunction& fn, std::vector<at::Tensor> inputs) {
  at::set_num_threads(1);  // on tensors this small, threads only wait for each other
  for (at::Tensor& input : inputs) {
    ASSERT_EQ(input.scalar_type(), at::kDouble);
    input = input.detach().clone().set_requires_grad(true);
  }
  const at::Tensor value = fn(inputs);
  const at::Tensor projection = at::randn_like(value.detach());
  const auto grads = torch::autograd::grad({(value * projection).sum()}, inputs);
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < inputs.size(); ++i) {
    at::Tensor differences = at::zeros_like(inputs[i].detach());
    double* element = inputs[i].mutable_data_ptr<double>();
    for (int64_t j = 0; j < inputs[i].numel(); ++j) {
      const double original = element[j];
      element[j] = original + kStep;
      const double above = (fn(inputs) * projection).sum().item<double>();
      element[j] = original - kStep;
      const double below = (fn(inputs) * projection).sum().item<double>();
      element[j] = original;
      differences.mutable_data_ptr<double>()[j] = (above - below) / (2 * kStep);
    }
    EXPECT_LT(RelativeError(grads[i], differences), kTolerance) << "input " << i;
  }
}

}  // namespace fpo::train
