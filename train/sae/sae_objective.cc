#include "train/sae/sae_objective.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "train/ops/product.h"

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

// Elements of a block of pre-activations: however many features there are, nothing of size
// [rows, features] is in memory.
constexpr int64_t kTrainedElements = int64_t{1} << 22;

// Features [first, first + count) of the parameters.
struct FeatureBlock {
  int64_t first, count;

  at::Tensor Of(const at::Tensor& features) const { return features.narrow(0, first, count); }
  at::Tensor OfEncoder(const at::Tensor& encoder) const { return encoder.narrow(1, first, count); }
};

template <typename Fn>
void ForEachFeatureBlock(int64_t rows, int64_t features, const Fn& fn) {
  const int64_t block = std::clamp<int64_t>(kTrainedElements / rows, 1, features);
  for (int64_t first = 0; first < features; first += block) {
    fn(FeatureBlock{first, std::min(block, features - first)});
  }
}

struct SaeWeights {
  at::Tensor encoder, encoder_bias, log_threshold, decoder, decoder_bias;

  // max(x . W_enc + b_enc, 0) of a block, [rows, block].
  at::Tensor Pre(const at::Tensor& x, const FeatureBlock& block) const {
    const at::Tensor pre = MatrixProduct(x, block.OfEncoder(encoder));
    return pre.add_(block.Of(encoder_bias)).clamp_min_(0);
  }
  at::Tensor Threshold(const FeatureBlock& block) const { return block.Of(log_threshold).exp(); }
};

// With c = pre * 1[pre > theta] and H the number of active features, straight-through to the
// threshold: dc/dtheta = -(theta / bandwidth) * kernel, dH/dtheta = -(1 / bandwidth) * kernel.
struct SaeGradients {
  SaeWeights sums;  // of the parameters' shapes

  struct Upstream {
    at::Tensor rebuilt;  // dL/d rebuilt, [rows, width]
    at::Tensor l0;       // dL/d each row's count of active features, a scalar
    double bandwidth;
  };

  void AddBlock(const SaeWeights& parameters, const at::Tensor& x, const FeatureBlock& block,
                const Upstream& upstream) {
    const at::Tensor pre = parameters.Pre(x, block), theta = parameters.Threshold(block);
    const at::Tensor active = pre.gt(theta);
    const at::Tensor near = Near(pre, theta, upstream.bandwidth);
    at::Tensor to_codes = MatrixProduct(upstream.rebuilt, block.Of(parameters.decoder).t());
    StoreMatrixProduct(block.Of(sums.decoder), (pre * active).t(), upstream.rebuilt);
    const at::Tensor count = near.sum(0).mul_(upstream.l0);
    const at::Tensor to_theta =
        (to_codes * near).sum(0).mul_(theta).add_(count).mul_(-1 / upstream.bandwidth);
    block.Of(sums.log_threshold).copy_(to_theta * theta);
    to_codes.mul_(active).mul_(pre.gt(0));  // now to pre
    StoreMatrixProduct(block.OfEncoder(sums.encoder), x.t(), to_codes);
    block.Of(sums.encoder_bias).copy_(to_codes.sum(0));
  }
};

// {loss, reconstruction, l0}; backward computes each block again.
struct SaeLossFunction : torch::autograd::Function<SaeLossFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& encoder,
                               const at::Tensor& encoder_bias, const at::Tensor& log_threshold,
                               const at::Tensor& decoder, const at::Tensor& decoder_bias,
                               const at::Tensor& x, double sparsity, double bandwidth) {
    const SaeWeights parameters = {encoder, encoder_bias, log_threshold, decoder, decoder_bias};
    at::Tensor error = decoder_bias - x;
    at::Tensor counts = at::zeros({x.size(0)}, x.options());
    ForEachFeatureBlock(x.size(0), encoder_bias.size(0), [&](const FeatureBlock& block) {
      at::Tensor codes = parameters.Pre(x, block);
      const at::Tensor active = codes.gt(parameters.Threshold(block));
      counts.add_(active.sum(1, /*keepdim=*/false, x.scalar_type()));
      AddMatrixProduct(error, codes.mul_(active), block.Of(decoder));
    });
    const at::Tensor reconstruction = error.square().sum(1).mean(), l0 = counts.mean();
    context->save_for_backward(
        {encoder, encoder_bias, log_threshold, decoder, decoder_bias, x, error});
    context->saved_data["sparsity"] = sparsity;
    context->saved_data["bandwidth"] = bandwidth;
    context->mark_non_differentiable({reconstruction, l0});
    return {reconstruction + l0 * sparsity, reconstruction, l0};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const SaeWeights parameters = {saved[0], saved[1], saved[2], saved[3], saved[4]};
    const at::Tensor &x = saved[5], &error = saved[6];
    const auto rows = static_cast<double>(x.size(0));
    const at::Tensor rebuilt = error * (grads[0] * (2 / rows));
    const SaeGradients::Upstream upstream = {
        rebuilt, grads[0] * (context->saved_data["sparsity"].toDouble() / rows),
        context->saved_data["bandwidth"].toDouble()};
    SaeGradients result;
    const auto like = [](const at::Tensor& parameter) { return at::empty_like(parameter); };
    result.sums = {like(saved[0]), like(saved[1]), like(saved[2]), like(saved[3]), rebuilt.sum(0)};
    ForEachFeatureBlock(x.size(0), saved[1].size(0), [&](const FeatureBlock& block) {
      result.AddBlock(parameters, x, block, upstream);
    });
    const SaeWeights& sums = result.sums;
    return {sums.encoder,      sums.encoder_bias, sums.log_threshold, sums.decoder,
            sums.decoder_bias, at::Tensor(),      at::Tensor(),       at::Tensor()};
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
  const variable_list values = SaeLossFunction::apply(
      parameter(kEncoder), parameter(kEncoderBias), parameter(kLogThreshold), parameter(kDecoder),
      parameter(kDecoderBias), x, sparsity, options_.bandwidth);
  return {values[0], values[1], values[2]};
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
