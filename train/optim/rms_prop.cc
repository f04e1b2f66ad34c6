#include "train/optim/rms_prop.h"

#include <ATen/ATen.h>

#include "train/cuda/cuda_library.h"

namespace fpo::train {

RmsProp::RmsProp(const NamedTensors& parameters, const OptimizerOptions& options)
    : Optimizer(parameters), options_(options) {
  AddMoment("square_avg");
}

void RmsProp::Update(const std::vector<at::Tensor>& gradients, double lr) {
  for (size_t i = 0; i < masters_.size(); ++i) {
    at::Tensor gradient = gradients[i];
    if (options_.weight_decay != 0) {
      gradient = gradient.add(masters_[i], options_.weight_decay);
    }
    at::Tensor& square = state_[0][i];
    square.mul_(options_.alpha).addcmul_(gradient, gradient, 1 - options_.alpha);
    masters_[i].addcdiv_(gradient, square.sqrt().add_(options_.eps), -lr);
  }
}

RmsPropStep RmsProp::StepOf(const Pace& pace) const {
  return {static_cast<float>(pace.scale),     static_cast<float>(options_.weight_decay),
          static_cast<float>(options_.alpha), static_cast<float>(1 - options_.alpha),
          static_cast<float>(pace.lr),        static_cast<float>(options_.eps)};
}

void RmsProp::UpdateByKernels(const KernelSet& kernels, const UpdateSpan& span,
                              const Pace& pace) const {
  kernels.rms_prop(span, StepOf(pace));
}

void RmsProp::UpdateByCuda(const CudaTable& table, const CudaUpdate& update, const Pace& pace,
                           const at::Tensor& like) const {
  CallCuda(like, "rms_prop", table.rms_prop, update, StepOf(pace));
}

}  // namespace fpo::train
