#pragma once

#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fpo {

// Delays between retries: doubling from `first` up to `most`, each multiplied by a random factor of
// [0.5, 1] so that clients that failed together do not retry together. Not thread-safe.
class Backoff {
 public:
  struct Options {
    absl::Duration first = absl::Milliseconds(200);
    absl::Duration most = absl::Seconds(10);
    uint64_t seed = 0;  // different for each client, e.g. from std::random_device
  };

  explicit Backoff(Options options);
  absl::Duration Next();
  void Reset();  // after a success: the next delay is `first` again

 private:
  Options options_;
  absl::Duration pause_;
  std::mt19937_64 random_;
};

// Whether the same call may succeed later: the peer is unavailable, timed out, is overloaded or
// asked to retry. ResourceExhausted counts: services return it for full queues.
bool IsRetryable(const absl::Status& status);

}  // namespace fpo
