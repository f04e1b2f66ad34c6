#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo::cache {

// Calls `turn` at a steady pace on its own thread until it is stopped. Thread-safe.
class Ticker {
 public:
  Ticker(absl::Duration pace, std::function<void(absl::Time now)> turn);
  ~Ticker();  // Stop
  void Stop();
  // When the loop last turned; one stuck in a disk makes the program unhealthy.
  absl::Time last_turn() const { return absl::FromUnixMillis(last_turn_unix_ms_); }

 private:
  void Loop();

  const absl::Duration pace_;
  const std::function<void(absl::Time)> turn_;
  std::atomic<int64_t> last_turn_unix_ms_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fpo::cache
