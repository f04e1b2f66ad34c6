#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo {

// A running stream as its server sees it. Both return at once and add or remove no stream.
class OpenStream {
 public:
  virtual void OnTick(absl::Time /*now*/) {}        // where the server ticks its streams
  virtual void End(const absl::Status& /*why*/) {}  // where it does not let them run out

 protected:
  ~OpenStream() = default;
};

// The streams that are open: their number is bounded, and until it is removed each is ticked, and
// ended by a shutdown. Thread-safe.
class OpenStreams {
 public:
  // `program` ("the cache") is for the error of one stream too many.
  explicit OpenStreams(std::string program, size_t streams_max = std::numeric_limits<size_t>::max())
      : program_(std::move(program)), streams_max_(streams_max) {}

  // ResourceExhausted (BUSY): too many. Ended at once when EndAll was called before.
  [[nodiscard]] absl::Status Add(OpenStream* stream);
  void Remove(OpenStream* stream);  // also one that was never added; not called after it
  void Tick(absl::Time now);
  void EndAll(const absl::Status& why);

 private:
  const std::string program_;
  const size_t streams_max_;
  absl::Mutex mutex_;
  absl::flat_hash_set<OpenStream*> streams_ ABSL_GUARDED_BY(mutex_);
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo
