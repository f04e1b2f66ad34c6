#include "train/sae/sae_objective.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace fpo::train {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

enum ParameterIndex { kEncoder, kEncoderBias, kLogThreshold, kDecoder, kDecoderBias };

// The rectangle kernel around the threshold: 1 where |pre - threshold| < bandwidth / 2.
at::Tensor Near(const at::Tensor& pre, const at::Tensor& threshold, double bandwidth) {
  const at::Tensor distance = pre - threshold;
  return at::maximum(distance, -distance).lt(bandwidth / 2).to(pre.scalar_type());
}

// c = pre * 1[pre > threshold]. Straight-through to the threshold: dc/dtheta = -(theta / bandwidth)
// * kernel.
struct JumpReluFunction : torch::autograd::Function<JumpReluFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& pre,
                            const at::Tensor& threshold, double bandwidth) {
    context->save_for_backward({pre, threshold});
    context->saved_data["bandwidth"] = bandwidth;
    return pre * pre.gt(threshold);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &pre = saved[0], &threshold = saved[1];
    const double bandwidth = context->saved_data["bandwidth"].toDouble();
    const at::Tensor near = Near(pre, threshold, bandwidth);
    const at::Tensor grad_threshold = (grads[0] * near).sum(0).mul_(threshold).mul_(-1 / bandwidth);
    return {grads[0] * pre.gt(threshold), grad_threshold, at::Tensor()};
  }
};

// Active features per row, 1[pre > threshold] summed. Straight-through: dH/dtheta = -(1 /
// bandwidth) * kernel; none to pre.
struct CountActiveFunction : torch::autograd::Function<CountActiveFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& pre,
                            const at::Tensor& threshold, double bandwidth) {
    context->save_for_backward({pre, threshold});
    context->saved_data["bandwidth"] = bandwidth;
    return pre.gt(threshold).sum(1, /*keepdim=*/false, pre.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const double bandwidth = context->saved_data["bandwidth"].toDouble();
    const at::Tensor near = Near(saved[0], saved[1], bandwidth);
    const at::Tensor grad_threshold = (near * grads[0].unsqueeze(1)).sum(0).mul_(-1 / bandwidth);
    return {at::Tensor(), grad_threshold, at::Tensor()};
  }
};

void CheckRows(const at::Tensor& rows, int64_t width) {
  TORCH_CHECK(rows.dim() == 2 && rows.size(0) > 0 && rows.size(1) == width,
              "SAE training rows are ", rows.sizes(), ", expected [n, ", width, "]");
}

}  // namespace

double SaeInputScale(const at::Tensor& rows) {
  const double squared = rows.to(at::kDouble).square().sum(1).mean().item<double>();
  TORCH_CHECK(std::isfinite(squared) && squared > 0, "SAE training rows have mean squared norm ",
              squared);
  return 1 / std::sqrt(squared);
}

SaeObjective::SaeObjective(const SaeObjectiveOptions& options) : options_(options) {
  TORCH_CHECK(options.width > 0 && options.features > 0 && options.bandwidth > 0 &&
                  options.initial_threshold > 0 && options.input_scale > 0,
              "SaeObjective: width ", options.width, ", features ", options.features,
              ", bandwidth ", options.bandwidth, ", initial threshold ", options.initial_threshold,
              ", input scale ", options.input_scale, " must all be positive");
  const at::Generator generator = at::detail::createCPUGenerator(options.seed);
  at::Tensor decoder =
      at::empty({options.features, options.width}, at::kFloat).normal_(0, 1, generator);
  decoder.div_(decoder.norm(2, {1}, /*keepdim=*/true));
  const at::Tensor encoder = decoder.t().contiguous();  // starts as the decoder's transpose
  parameters_ = {
      {"w_enc", encoder},
      {"b_enc", at::zeros({options.features}, at::kFloat)},
      {"log_threshold",
       at::full({options.features}, std::log(options.initial_threshold), at::kFloat)},
      {"w_dec", decoder},
      {"b_dec", at::zeros({options.width}, at::kFloat)},
  };
  for (auto& [name, parameter] : parameters_) {
    parameter = parameter.to(options.device).set_requires_grad(true);
  }
}

void SaeObjective::InitialiseFrom(const at::Tensor& rows) {
  CheckRows(rows, options_.width);
  const at::NoGradGuard no_grad;
  parameters_[kDecoderBias].second.copy_(rows.to(at::kDouble).mean(0) * options_.input_scale);
}

SaeLoss SaeObjective::Loss(const at::Tensor& rows, double sparsity) const {
  CheckRows(rows, options_.width);
  const auto parameter = [this](ParameterIndex index) { return parameters_[index].second; };
  const at::Tensor x = rows.detach().to(at::kFloat) * options_.input_scale;
  const at::Tensor threshold = parameter(kLogThreshold).exp();
  const at::Tensor pre =
      at::threshold(at::addmm(parameter(kEncoderBias), x, parameter(kEncoder)), 0, 0);
  const at::Tensor codes = JumpReluFunction::apply(pre, threshold, options_.bandwidth);
  const at::Tensor rebuilt = at::addmm(parameter(kDecoderBias), codes, parameter(kDecoder));
  const at::Tensor reconstruction = (rebuilt - x).square().sum(1).mean();
  const at::Tensor l0 = CountActiveFunction::apply(pre, threshold, options_.bandwidth).mean();
  return {reconstruction + l0 * sparsity, reconstruction.detach(), l0.detach()};
}

void SaeObjective::ConstrainGradients() {
  const at::NoGradGuard no_grad;
  const at::Tensor& decoder = parameters_[kDecoder].second;
  at::Tensor& grad = decoder.mutable_grad();
  if (!grad.defined()) return;
  const at::Tensor squared = decoder.square().sum(1, /*keepdim=*/true).clamp_min_(1e-30);
  grad.sub_(decoder * ((grad * decoder).sum(1, /*keepdim=*/true) / squared));
}

void SaeObjective::ConstrainParameters() {
  const at::NoGradGuard no_grad;
  at::Tensor decoder = parameters_[kDecoder].second;
  decoder.div_(decoder.norm(2, {1}, /*keepdim=*/true).clamp_min_(1e-30));
}

SaeTensors SaeObjective::Export() const {
  // With x scaled by s: pre = s (x W) + b. Codes divided by s keep W_enc and W_dec, and scale the
  // rest by 1/s.
  const at::NoGradGuard no_grad;
  const double unscale = 1 / options_.input_scale;
  SaeTensors tensors;
  tensors.w_enc = parameters_[kEncoder].second.detach().clone();
  tensors.b_enc = parameters_[kEncoderBias].second.detach() * unscale;
  tensors.threshold = parameters_[kLogThreshold].second.detach().exp() * unscale;
  tensors.w_dec = parameters_[kDecoder].second.detach().clone();
  tensors.b_dec = parameters_[kDecoderBias].second.detach() * unscale;
  return tensors;
}

}  // namespace fpo::train
