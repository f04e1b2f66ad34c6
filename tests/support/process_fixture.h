#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/core/process/rank_process.h"

namespace fpo::testing {

// Keeps what a rank says. Thread-safe.
class RecordingSink final : public worker::RankSink {
 public:
  void OnLine(int32_t rank, LineStream stream, const std::string& text) override;
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override;

  std::vector<std::string> lines(LineStream stream) const;
  std::vector<TrainEvent> events() const;
  // The message of the `count`-th event (from 1), waiting for it; "" after 20 s.
  std::string AwaitEvent(size_t count);

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::pair<LineStream, std::string>> lines_ ABSL_GUARDED_BY(mutex_);
  std::vector<TrainEvent> events_ ABSL_GUARDED_BY(mutex_);
};

// A command that runs the fake trainer with `words`, as rank 0 of an attempt with a unique job id.
worker::RankCommand FakeTrainer(const std::vector<std::string>& words);

// Whether the process is there and no zombie.
bool IsAlive(pid_t pid);
// Waits until it is not; false after `timeout`.
bool AwaitDeath(pid_t pid, absl::Duration timeout = absl::Seconds(10));

}  // namespace fpo::testing
