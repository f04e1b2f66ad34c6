#include "ctl/rpc/reconnect_policy.h"

#include <algorithm>

namespace fpo::ctl {

void ReconnectPolicy::Answered() {
  answered_ = true;
  lost_.reset();
}

std::optional<absl::Duration> ReconnectPolicy::NextWait(absl::Time now) {
  if (!answered_) return std::nullopt;
  if (!lost_) {
    lost_ = now;
    wait_ = options_.first_wait;
  }
  const absl::Duration left = *lost_ + options_.give_up_after - now;
  if (left <= absl::ZeroDuration()) return std::nullopt;
  const absl::Duration wait = std::min(wait_, left);
  wait_ = std::min(wait_ * 2, options_.wait_max);
  return wait;
}

}  // namespace fpo::ctl
