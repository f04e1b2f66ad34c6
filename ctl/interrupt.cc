#include "ctl/interrupt.h"

#include "common/waits/steady_wait.h"

namespace fpo::ctl {

void Interrupt::Raise() {
  source_.request_stop();
  absl::MutexLock lock(&mutex_);
  raised_ = true;
}

bool Interrupt::WaitFor(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  return AwaitFor(&mutex_, absl::Condition(&raised_), timeout);
}

}  // namespace fpo::ctl
