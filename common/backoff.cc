#include "common/backoff.h"

#include <algorithm>

namespace fpo {

Backoff::Backoff(Options options)
    : options_(options), pause_(options.first), random_(options.seed) {}

absl::Duration Backoff::Next() {
  const double factor = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  const absl::Duration pause = std::min(pause_, options_.most) * factor;
  pause_ = std::min(pause_ * 2, options_.most);
  return pause;
}

void Backoff::Reset() { pause_ = options_.first; }

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    // A server that shuts down cancels calls it had not begun. Callers that want to stop must check
    // that before.
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

}  // namespace fpo
