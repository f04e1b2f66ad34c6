#pragma once

#include <functional>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo::ctl {

// The user's wish to stop, raised once by Ctrl-C. Thread-safe.
class Interrupt {
 public:
  // Runs `on_raise` when the interrupt is raised, or at once when it already was; forgets it at the
  // end of its life, after which `on_raise` is not running either. `on_raise` may run on any
  // thread, must not block and must not touch this interrupt.
  class Scope {
   public:
    Scope(Interrupt& interrupt, std::function<void()> on_raise);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
    int id_ = 0;
  };

  void Raise();
  bool raised() const;
  // True when raised before `timeout` passed.
  bool WaitFor(absl::Duration timeout) const;

 private:
  mutable absl::Mutex mutex_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
  int next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<int, std::function<void()>> on_raise_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::ctl
