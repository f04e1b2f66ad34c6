#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
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
  explicit OpenStreams(std::string program, size_t streams_max = std::numeric_limits<size_t>::max(),
                       size_t caller_streams_max = std::numeric_limits<size_t>::max())
      : program_(std::move(program)),
        streams_max_(streams_max),
        caller_streams_max_(caller_streams_max) {}

  // ResourceExhausted (BUSY): too many, in all or of this caller (a name or an address). Ended at
  // once when EndAll was called before.
  [[nodiscard]] absl::Status Add(OpenStream* stream, const std::string& caller = "");
  void Remove(OpenStream* stream);  // also one that was never added; not called after it
  void Tick(absl::Time now);
  void EndAll(const absl::Status& why);

 private:
  const std::string program_;
  const size_t streams_max_;
  const size_t caller_streams_max_;
  absl::Mutex mutex_;
  absl::flat_hash_map<OpenStream*, std::string> streams_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, size_t> by_caller_ ABSL_GUARDED_BY(mutex_);
  absl::Status ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo
