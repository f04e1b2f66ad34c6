#include "train/sae_training/sparsity_control.h"

#include <algorithm>
#include <cmath>

namespace fpo::train {
namespace {

constexpr double kDecay = 0.9;  // of the moving averages

}  // namespace

SparsityControl::SparsityControl(double target_l0, int64_t steps)
    : target_(target_l0), warmup_(std::max<int64_t>(steps / 10, 1)) {}

void SparsityControl::Observe(double l0, double reconstruction) {
  const double keep = step_ == 0 ? 0 : kDecay;
  l0_ = keep * l0_ + (1 - keep) * l0;
  reconstruction_ = keep * reconstruction_ + (1 - keep) * reconstruction;
  ++step_;
  const double share = reconstruction_ / target_;
  const double pull = std::clamp(std::log(std::max(l0_, 0.01) / target_), -1.0, 1.0);
  const double warm = std::min(1.0, static_cast<double>(step_) / static_cast<double>(warmup_));
  coefficient_ = warm * share * pull;
}

}  // namespace fpo::train
