#pragma once

#include <vector>

#include "train/optim/optimizer.h"

namespace fpo::train {

// Adam with bias correction; AdamW when `decoupled`.
class Adam : public Optimizer {
 public:
  Adam(const NamedTensors& parameters, const OptimizerOptions& options, bool decoupled);

 protected:
  void Update(const std::vector<at::Tensor>& gradients, double lr) override;
  void UpdateByKernels(const KernelSet& kernels, const UpdateSpan& span,
                       const Pace& pace) const override;
  void UpdateByCuda(const CudaTable& table, const CudaUpdate& update, const Pace& pace,
                    const at::Tensor& like) const override;

 private:
  AdamStep StepOf(const Pace& pace) const;

  OptimizerOptions options_;
  bool decoupled_;
};

}  // namespace fpo::train
