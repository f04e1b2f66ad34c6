#include "coordinator/rpc/coordinator_loop.h"

#include "absl/time/clock.h"

namespace fpo::coordinator {

CoordinatorLoop::~CoordinatorLoop() { Stop(); }

void CoordinatorLoop::Start() {
  last_turn_unix_ms_ = absl::ToUnixMillis(absl::Now());
  thread_ = std::thread([this] { Loop(); });
}

void CoordinatorLoop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  thread_.join();
  coordinator_->Flush();
  audit_->Flush();
}

void CoordinatorLoop::Loop() {
  absl::Duration since_tick = options_.tick;
  absl::Time listen_until = absl::InfinitePast();
  for (;;) {
    const absl::Time turn = absl::Now();
    const bool listens = turn < listen_until;
    if (!listens && (since_tick >= options_.tick || coordinator_->TakeTickWanted())) {
      coordinator_->Tick();
      audit_->Flush();
      since_tick = absl::ZeroDuration();
    }
    coordinator_->Flush();
    last_turn_unix_ms_ = absl::ToUnixMillis(absl::Now());
    absl::MutexLock lock(&mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), options_.flush)) return;
    since_tick += options_.flush;
    // This process or machine stood still. The beats of that time wait in its sockets: they are
    // taken first, or agents that never were silent would seem to be.
    const absl::Time woke = absl::Now();
    if (woke - turn > options_.flush + options_.tick) listen_until = woke + 2 * options_.tick;
  }
}

}  // namespace fpo::coordinator
