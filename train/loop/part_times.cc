#include "train/loop/part_times.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "absl/time/clock.h"

namespace fpo::train {

absl::Time PartTimes::Settled() const {
  if (!device_.is_cpu()) {
    const auto index = static_cast<c10::DeviceIndex>(device_.has_index() ? device_.index() : 0);
    c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(index);
  }
  return absl::Now();
}

void PartTimes::Start() {
  if (!on_) return;
  seconds_.clear();
  previous_ = Settled();
}

void PartTimes::End(const std::string& part) {
  if (!on_) return;
  const absl::Time now = Settled();
  seconds_[part] += absl::ToDoubleSeconds(now - previous_);
  previous_ = now;
}

}  // namespace fpo::train
