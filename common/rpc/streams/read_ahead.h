#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/work_pool.h"

namespace fpo {

// A value that a pool computes before it is needed. A caller that arrives before the pool computes
// it inline, so that threads of the pool can wait for one another's values without a deadlock.
// `make` owns what it uses, as it may outlive the ReadAhead. Not thread-safe.
template <typename T>
class ReadAhead {
 public:
  ReadAhead(WorkPool* pool, std::function<T()> make)
      : work_(std::make_shared<Work>(std::move(make))) {
    // A full pool computes nothing ahead.
    (void)pool->TryRun([work = work_] { work->Run(); });
  }

  T Take() {  // once
    work_->Run();
    return work_->Await();
  }

 private:
  class Work {
   public:
    explicit Work(std::function<T()> make) : make_(std::move(make)) {}

    void Run() {
      {
        absl::MutexLock lock(&mutex_);
        if (std::exchange(begun_, true)) return;
      }
      T made = make_();
      absl::MutexLock lock(&mutex_);
      made_ = std::move(made);
    }
    T Await() {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(
          +[](std::optional<T>* made) { return made->has_value(); }, &made_));
      return *std::move(made_);
    }

   private:
    const std::function<T()> make_;
    absl::Mutex mutex_;
    bool begun_ ABSL_GUARDED_BY(mutex_) = false;
    std::optional<T> made_ ABSL_GUARDED_BY(mutex_);
  };

  std::shared_ptr<Work> work_;
};

}  // namespace fpo
