#include "coordinator/rpc/coordinator_loop.h"

#include <utility>

#include "absl/time/clock.h"

namespace fpo::coordinator {

CoordinatorLoop::~CoordinatorLoop() { Stop(); }

void CoordinatorLoop::Start() {
  ticker_.emplace(options_.flush, [this](absl::Time now) { Turn(now); });
}

void CoordinatorLoop::Stop() {
  if (!ticker_ || std::exchange(stopped_, true)) return;
  ticker_->Stop();
  coordinator_->Flush();
  audit_->Flush(absl::Now());
}

void CoordinatorLoop::Turn(absl::Time now) {
  // This process or machine stood still. The beats of that time wait in its sockets: they are
  // taken first, or agents that never were silent would seem to be.
  if (now - turned_ > options_.flush + options_.tick) listen_until_ = now + 2 * options_.tick;
  turned_ = now;
  const bool listens = now < listen_until_;
  // The look whether a tick is wanted waits for nothing: a wait for what holds the coordinator's
  // lock is measured by Tick, and not held against the workers.
  if (!listens && (since_tick_ >= options_.tick || coordinator_->TakeTickWanted())) {
    coordinator_->Tick();
    audit_->Flush(now);
    since_tick_ = absl::ZeroDuration();
  }
  coordinator_->Flush();
  if (options_.streams != nullptr) options_.streams->Tick(now);
  since_tick_ += options_.flush;
}

}  // namespace fpo::coordinator
