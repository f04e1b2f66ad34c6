#pragma once

#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/lines/audit_log.h"

namespace fpo::coordinator {

// The coordinator's sense of time: flushes lines every `flush`, ticks every `tick` and soon after
// something happened. Thread-safe.
class CoordinatorLoop {
 public:
  struct Options {
    absl::Duration flush = absl::Milliseconds(200);
    absl::Duration tick = absl::Seconds(1);
  };
  // `coordinator` and `audit` are not owned.
  CoordinatorLoop(Coordinator* coordinator, AuditLog* audit, Options options)
      : coordinator_(coordinator), audit_(audit), options_(options) {}
  ~CoordinatorLoop();  // Stop

  void Start();
  void Stop();  // flushes once more
  // When the loop last turned; a loop stuck in a disk makes the program unhealthy.
  absl::Time last_turn() const { return absl::FromUnixMillis(last_turn_unix_ms_); }

 private:
  void Loop();

  Coordinator* const coordinator_;
  AuditLog* const audit_;
  const Options options_;
  std::atomic<int64_t> last_turn_unix_ms_ = 0;
  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace fpo::coordinator
