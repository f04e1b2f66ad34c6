#pragma once

#include <cstdint>

namespace fpo::train {

// Chooses an SAE's sparsity coefficient, the price of one active feature in the loss, so that L0
// approaches its target from either side: below the target the price is negative and thresholds
// fall. The price is proportional to log(L0 / target) and bounded by an equal share of the
// reconstruction error, so it does not depend on the scale of the activations and never outweighs
// the reconstruction. It ramps up from zero: features form before they are pruned.
class SparsityControl {
 public:
  SparsityControl(double target_l0, int64_t steps);
  double coefficient() const { return coefficient_; }
  void Observe(double l0, double reconstruction);  // once a step

 private:
  double target_;
  int64_t warmup_;
  int64_t step_ = 0;
  double l0_ = 0;  // moving averages
  double reconstruction_ = 0;
  double coefficient_ = 0;
};

}  // namespace fpo::train
