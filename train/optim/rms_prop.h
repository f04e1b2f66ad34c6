#pragma once

#include <vector>

#include "train/optim/optimizer.h"

namespace fpo::train {

// RMSprop as PyTorch defines it: not centred, no momentum, eps outside the root.
class RmsProp : public Optimizer {
 public:
  RmsProp(const NamedTensors& parameters, const OptimizerOptions& options);

 protected:
  void Update(const std::vector<at::Tensor>& gradients, double lr) override;
  void UpdateByKernels(const KernelSet& kernels, const UpdateSpan& span,
                       const Pace& pace) const override;
  void UpdateByCuda(const CudaTable& table, const CudaUpdate& update, const Pace& pace,
                    const at::Tensor& like) const override;

 private:
  RmsPropStep StepOf(const Pace& pace) const;

  OptimizerOptions options_;
};

}  // namespace fpo::train
