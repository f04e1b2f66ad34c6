#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "absl/time/time.h"

namespace fpo {

// Waits that long by the steady clock, or until `stop` is requested; then returns false.
inline bool WaitUnlessStopped(std::stop_token stop, absl::Duration duration) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock<std::mutex> lock(mutex);
  never.wait_for(lock, stop, absl::ToChronoNanoseconds(duration), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace fpo
