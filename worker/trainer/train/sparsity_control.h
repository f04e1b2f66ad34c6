#pragma once

#include <cstdint>

namespace fpo::train {

// Adapts an SAE's sparsity coefficient so that L0 comes to its target: a multiplicative controller
// on the log of a moving average of L0. The coefficient grows from near nothing over a warm-up, so
// that features form before they are pruned.
class SparsityControl {
 public:
  SparsityControl(double target_l0, int64_t steps);
  double coefficient() const { return coefficient_; }
  void Observe(double l0);  // once a step

 private:
  double target_;
  int64_t warmup_;
  int64_t step_ = 0;
  double average_ = 0;
  double coefficient_;
};

}  // namespace fpo::train
