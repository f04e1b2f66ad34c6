#include "worker/trainer/train/sparsity_control.h"

#include <algorithm>
#include <cmath>

namespace fpo::train {
namespace {

constexpr double kStart = 1e-5;
constexpr double kSmallest = 1e-7;
constexpr double kLargest = 10;
constexpr double kGain = 0.03;  // log coefficient per unit of log L0 ratio, each step
constexpr double kDecay = 0.9;  // of the moving average

}  // namespace

SparsityControl::SparsityControl(double target_l0, int64_t steps)
    : target_(target_l0), warmup_(std::max<int64_t>(steps / 20, 1)), coefficient_(kStart) {}

void SparsityControl::Observe(double l0) {
  average_ = step_ == 0 ? l0 : kDecay * average_ + (1 - kDecay) * l0;
  if (++step_ < warmup_) return;
  const double ratio = std::max(average_, 0.5) / target_;
  coefficient_ = std::clamp(coefficient_ * std::exp(kGain * std::log(ratio)), kSmallest, kLargest);
}

}  // namespace fpo::train
