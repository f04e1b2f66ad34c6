#include "ctl/show/progress_rate.h"

namespace fpo::ctl {
namespace {

constexpr absl::Duration kWindow = absl::Minutes(1);
constexpr size_t kSamplesMax = 256;

}  // namespace

void ProgressRate::Add(const std::string& phase, int64_t done, absl::Time time) {
  const bool other = phase != phase_ || (!samples_.empty() && done < samples_.back().done);
  if (other) samples_.clear();
  phase_ = phase;
  if (!samples_.empty() && (done == samples_.back().done || time <= samples_.back().time)) return;
  samples_.push_back({done, time});
  // Two samples always remain, so that slow steps have a rate too.
  while (samples_.size() > 2 &&
         (samples_.size() > kSamplesMax || time - samples_.front().time > kWindow)) {
    samples_.pop_front();
  }
}

std::optional<double> ProgressRate::PerSecond() const {
  if (samples_.size() < 2) return std::nullopt;
  const double units = static_cast<double>(samples_.back().done - samples_.front().done);
  return units / absl::ToDoubleSeconds(samples_.back().time - samples_.front().time);
}

}  // namespace fpo::ctl
