#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fpo {

// Threads for work that waits for the disk, so that gRPC's own threads never block. Thread-safe.
class WorkPool {
 public:
  struct Options {
    int threads = 8;         // most of them wait for one lock or one fsync
    size_t queue_max = 512;  // of new calls; beyond it they are rejected, not delayed without bound
  };
  explicit WorkPool(Options options);
  ~WorkPool();  // Stop

  // Queues a new call. False when the queue is full or the pool is stopping.
  [[nodiscard]] bool TryRun(std::function<void()> work);
  // Queues the next step of a stream admitted before; each stream has at most one pending. Never
  // rejected: what is left runs before Stop returns.
  void Run(std::function<void()> work);
  void Stop();  // runs what is queued, then joins; a second call does nothing

 private:
  void Loop();
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || !queue_.empty();
  }

  const Options options_;
  absl::Mutex mu_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fpo
