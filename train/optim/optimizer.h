#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/cuda/kernels/cuda_table.h"
#include "train/kernels/kernel_set.h"
#include "train/ops/named_tensors.h"

namespace fpo::train {

// Updates parameters from gradients in their wide type (wide_type.h): float32, float64 for float64.
// A bfloat16 parameter has a float32 master copy that is updated and then rounded to the parameter;
// others are their own masters. Not thread-safe.
class Optimizer {
 public:
  struct Pace {
    double lr;
    double scale;  // of the gradients
  };
  explicit Optimizer(const NamedTensors& parameters);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One update. gradients: one per parameter, in order (GradientBuffer::gradients); `scale`
  // multiplies them (ClipFactor).
  void Step(const std::vector<at::Tensor>& gradients, double lr, double scale = 1);
  int64_t step() const { return step_; }                                // updates done
  const std::vector<std::string>& moments() const { return moments_; }  // "exp_avg", ...

  // The masters of all parameters under their names: what a checkpoint stores. Not copies.
  NamedTensors Masters() const;
  // Changes the masters in place, one after the other, and rounds the parameters from them.
  absl::Status ChangeMasters(
      const std::function<absl::Status(const std::string& name, const at::Tensor& master)>& change);
  // Moments as "NAME.exp_avg" and the like, and the step count as "step" (int64 scalar). Not
  // copies, except "step".
  NamedTensors State() const;
  // Restores what Masters and State gave, bit for bit, and rounds the parameters from the masters.
  // InvalidArgument names the tensor that is missing, of a wrong shape or dtype; nothing is changed
  // then.
  absl::Status Restore(const TensorMap& masters, const TensorMap& state);
  // The end of a restore that wrote into the tensors of Masters and State itself, one by one.
  void Restored(int64_t step);

 protected:
  // Moves masters_ by one update; state_[moment][parameter] is parallel to masters_.
  virtual void Update(const std::vector<at::Tensor>& gradients, double lr) = 0;
  // The same for one parameter that the kernels (fast_paths.h) can move, in one pass over memory.
  virtual void UpdateByKernels(const KernelSet& kernels, const UpdateSpan& span,
                               const Pace& pace) const = 0;
  virtual void UpdateByCuda(const CudaTable& table, const CudaUpdate& update, const Pace& pace,
                            const at::Tensor& like) const = 0;
  void AddMoment(const std::string& name);  // zeros, one per parameter

  std::vector<at::Tensor> masters_;
  std::vector<std::vector<at::Tensor>> state_;
  int64_t step_ = 0;

 private:
  void RoundParameters();
  bool IsInRows(const std::vector<at::Tensor>& gradients) const;
  bool StepByKernels(const std::vector<at::Tensor>& gradients, const Pace& pace);
  bool StepByCuda(const std::vector<at::Tensor>& gradients, const Pace& pace);

  NamedTensors parameters_;
  std::vector<std::string> moments_;
};

struct OptimizerOptions {
  double beta1 = 0.9;  // adam, adamw
  double beta2 = 0.999;
  double alpha = 0.99;  // rmsprop
  double eps = 1e-8;
  double weight_decay = 0;  // adamw: decoupled; adam, rmsprop: added to the gradient
};

// adam | adamw | rmsprop.
absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(absl::string_view name,
                                                         const NamedTensors& parameters,
                                                         const OptimizerOptions& options);

}  // namespace fpo::train
