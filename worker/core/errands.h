#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fpo::worker {

// Work that may take long and that nothing waits for, such as removing gigabytes: done one after
// the other on a thread of its own. Thread-safe.
class Errands {
 public:
  Errands() : thread_([this] { Loop(); }) {}
  ~Errands();  // finishes the one that runs; others that wait are dropped

  void Add(std::function<void()> errand);
  void AwaitAll();  // those added before
  bool HasWork() {
    absl::MutexLock lock(&mutex_);
    return running_ || !waiting_.empty();
  }

 private:
  void Loop();
  bool HasNext() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !waiting_.empty(); }

  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace fpo::worker
