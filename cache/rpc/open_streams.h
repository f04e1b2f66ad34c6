#pragma once

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo::cache {

// A running stream as the ticker sees it.
class OpenStream {
 public:
  // About four times a second; must neither block nor add or remove streams.
  virtual void OnTick(absl::Time now) = 0;

 protected:
  ~OpenStream() = default;
};

// All running streams: their number is bounded, and each is ticked until it is removed.
// Thread-safe.
class OpenStreams {
 public:
  explicit OpenStreams(size_t streams_max) : streams_max_(streams_max) {}

  [[nodiscard]] bool Add(OpenStream* stream);  // false: too many
  void Remove(OpenStream* stream);             // also one that was never added; not ticked after it
  void Tick(absl::Time now);

 private:
  const size_t streams_max_;
  absl::Mutex mutex_;
  absl::flat_hash_set<OpenStream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
