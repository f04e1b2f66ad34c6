#include "common/ticker.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/waits/stop_wait.h"

namespace fpo {

Ticker::Ticker(absl::Duration pace, std::function<void(absl::Time)> turn)
    : pace_(pace), turn_(std::move(turn)), last_turn_ms_(absl::ToUnixMillis(BootNow())) {
  thread_ = std::thread([this] { Loop(); });
}

Ticker::~Ticker() { Stop(); }

void Ticker::Stop() {
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
}

absl::Status Ticker::CheckTurning(absl::Duration stuck_after) const {
  const absl::Duration since = BootNow() - absl::FromUnixMillis(last_turn_ms_);
  if (since < stuck_after) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the loop has not turned for ", absl::FormatDuration(since)));
}

void Ticker::Loop() {
  do {
    turn_(BootNow());
    last_turn_ms_ = absl::ToUnixMillis(BootNow());
  } while (WaitUnlessStopped(stop_.get_token(), pace_));
}

}  // namespace fpo
