#include "ctl/interrupt.h"

#include <utility>

namespace fpo::ctl {

Interrupt::Scope::Scope(Interrupt& interrupt, std::function<void()> on_raise)
    : interrupt_(interrupt) {
  absl::MutexLock lock(&interrupt_.mutex_);
  id_ = interrupt_.next_id_++;
  if (interrupt_.raised_) {
    on_raise();
  } else {
    interrupt_.on_raise_[id_] = std::move(on_raise);
  }
}

Interrupt::Scope::~Scope() {
  absl::MutexLock lock(&interrupt_.mutex_);
  interrupt_.on_raise_.erase(id_);
}

void Interrupt::Raise() {
  absl::MutexLock lock(&mutex_);
  if (raised_) return;
  raised_ = true;
  // Under the lock, so that a scope that ended is not called any more.
  for (const auto& [id, on_raise] : on_raise_) on_raise();
}

bool Interrupt::raised() const {
  absl::MutexLock lock(&mutex_);
  return raised_;
}

bool Interrupt::WaitFor(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&raised_), timeout);
}

}  // namespace fpo::ctl
