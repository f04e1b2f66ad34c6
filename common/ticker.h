#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fpo {

// Calls `turn` at a steady pace on its own thread until it is stopped, with the time since boot, as
// BootNow; no step of the wall clock delays it. Thread-safe.
class Ticker {
 public:
  Ticker(absl::Duration pace, std::function<void(absl::Time now)> turn);
  ~Ticker();  // Stop
  void Stop();
  // Unavailable when the last turn ended longer ago: one stuck in a disk makes the program
  // unhealthy.
  absl::Status CheckTurning(absl::Duration stuck_after = absl::Seconds(30)) const;

 private:
  void Loop();

  const absl::Duration pace_;
  const std::function<void(absl::Time)> turn_;
  std::atomic<int64_t> last_turn_ms_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace fpo
