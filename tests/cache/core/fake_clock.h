#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/core/records/cache_types.h"
#include "common/clock.h"

namespace fpo::cache {

// A clock that moves when told. Thread-safe.
class FakeClock final : public SteadyClock {
 public:
  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    now_ += by;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'000'000);
};

// The clocks of a machine: the wall clock is decades ahead of the time since boot.
struct FakeClocks {
  FakeClocks() { wall.Advance(absl::Hours(24 * 365 * 50)); }
  FakeClock wall, steady;
  CacheClocks both() const { return {&wall, &steady}; }
  absl::Time Now() const { return wall.Now(); }
  void Advance(absl::Duration by) {
    wall.Advance(by);
    steady.Advance(by);
  }
};

}  // namespace fpo::cache
