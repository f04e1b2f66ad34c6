#include "cache/rpc/ticker.h"

#include <utility>

#include "absl/time/clock.h"

namespace fpo::cache {

Ticker::Ticker(absl::Duration pace, std::function<void(absl::Time)> turn)
    : pace_(pace), turn_(std::move(turn)), last_turn_unix_ms_(absl::ToUnixMillis(absl::Now())) {
  thread_ = std::thread([this] { Loop(); });
}

Ticker::~Ticker() { Stop(); }

void Ticker::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Ticker::Loop() {
  for (;;) {
    const absl::Time now = absl::Now();
    turn_(now);
    last_turn_unix_ms_ = absl::ToUnixMillis(now);
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), pace_)) return;
  }
}

}  // namespace fpo::cache
