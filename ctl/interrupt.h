#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo::ctl {

// The user's request to stop, raised once by Ctrl-C. Thread-safe.
class Interrupt {
 public:
  // Runs `on_raise` when the interrupt is raised, or at once when it already was; forgets it at the
  // end of its life, after which `on_raise` is not running either. `on_raise` may run on any
  // thread and must not block.
  class Scope {
   public:
    Scope(const Interrupt& interrupt, std::function<void()> on_raise)
        : callback_(interrupt.token(), std::move(on_raise)) {}

   private:
    std::stop_callback<std::function<void()>> callback_;
  };

  void Raise();
  bool raised() const { return source_.stop_requested(); }
  std::stop_token token() const { return source_.get_token(); }  // stopped when it is raised
  // True when raised before `timeout` passed.
  bool WaitFor(absl::Duration timeout) const;

 private:
  std::stop_source source_;
  mutable absl::Mutex mutex_;
  bool raised_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fpo::ctl
