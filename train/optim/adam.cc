#include "train/optim/adam.h"

#include <ATen/ATen.h>

#include <cmath>

#include "train/cuda/cuda_library.h"

namespace fpo::train {

Adam::Adam(const NamedTensors& parameters, const OptimizerOptions& options, bool decoupled)
    : Optimizer(parameters), options_(options), decoupled_(decoupled) {
  AddMoment("exp_avg");
  AddMoment("exp_avg_sq");
}

void Adam::Update(const std::vector<at::Tensor>& gradients, double lr) {
  // The fused kernel passes over memory once; it takes the step count as a tensor per parameter.
  const at::Tensor count = at::scalar_tensor(step_, masters_.front().options());
  const std::vector<at::Tensor> steps(masters_.size(), count);
  const auto fused = decoupled_ ? at::_ops::_fused_adamw_::call : at::_ops::_fused_adam_::call;
  fused(masters_, gradients, state_[0], state_[1], {}, steps, lr, options_.beta1, options_.beta2,
        options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false,
        /*grad_scale=*/{}, /*found_inf=*/{});
}

AdamStep Adam::StepOf(const Pace& pace) const {
  const auto step = static_cast<double>(step_);
  AdamStep values;
  values.gradient_scale = static_cast<float>(pace.scale);
  values.added_decay = static_cast<float>(decoupled_ ? 0 : options_.weight_decay);
  values.lost_weight = static_cast<float>(decoupled_ ? pace.lr * options_.weight_decay : 0);
  values.rest1 = static_cast<float>(1 - options_.beta1);
  values.beta2 = static_cast<float>(options_.beta2);
  values.rest2 = static_cast<float>(1 - options_.beta2);
  values.size = static_cast<float>(pace.lr / (1 - std::pow(options_.beta1, step)));
  values.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, step)));
  values.eps = static_cast<float>(options_.eps);
  return values;
}

void Adam::UpdateByKernels(const KernelSet& kernels, const UpdateSpan& span,
                           const Pace& pace) const {
  kernels.adam(span, StepOf(pace));
}

void Adam::UpdateByCuda(const CudaTable& table, const CudaUpdate& update, const Pace& pace,
                        const at::Tensor& like) const {
  CallCuda(like, "adam", table.adam, update, StepOf(pace));
}

}  // namespace fpo::train
