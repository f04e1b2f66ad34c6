#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "train/ops/named_tensors.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {

struct SaeObjectiveOptions {
  int64_t width = 0;  // of the activations
  int64_t features = 0;
  double input_scale = 1;   // see SaeInputScale
  double bandwidth = 0.05;  // of the rectangle kernel, in units of the scaled pre-activations
  double initial_threshold = 0.05;
  uint64_t seed = 42;            // the same start on every device
  at::Device device = at::kCPU;  // of the parameters; rows must be there too
};

struct SaeLoss {
  // Scalars on the parameters' device: reading one waits for the device.
  at::Tensor loss;  // differentiable: mean over rows of |x - x_hat|^2 + sparsity * L0, x scaled
  at::Tensor reconstruction;  // mean |x - x_hat|^2 of the scaled rows; detached
  at::Tensor l0;              // mean active features per row; detached
};

// Scale that gives rows [n, width] unit mean squared norm; one sample of a few thousand rows is
// enough.
double SaeInputScale(const at::Tensor& rows);

// Trains a JumpReLU SAE (Rajamanoharan et al. 2024): squared error plus sparsity * L0, with
// straight-through gradients to the threshold through a rectangle kernel. A step is:
// Loss(...).loss.backward(), ConstrainGradients(), the optimiser's step, ConstrainParameters().
class SaeObjective {
 public:
  explicit SaeObjective(const SaeObjectiveOptions& options);

  // w_enc, b_enc, log_threshold, w_dec, b_dec; float32 leaves that require gradients.
  const NamedTensors& Parameters() const { return parameters_; }
  // Sets b_dec to the mean of scaled rows [n, width] before the first step.
  void InitialiseFrom(const at::Tensor& rows);

  SaeLoss Loss(const at::Tensor& rows, double sparsity) const;

  // Removes from the decoder's gradient the part along its rows, which the norm constraint would
  // undo.
  void ConstrainGradients();
  // Gives decoder rows unit norm.
  void ConstrainParameters();

  // The trained arrays with the input scale folded in: they take unscaled activations. Float32,
  // detached copies.
  SaeTensors Export() const;

 private:
  SaeObjectiveOptions options_;
  NamedTensors parameters_;
};

}  // namespace fpo::train
