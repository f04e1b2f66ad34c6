#pragma once

#include <atomic>
#include <functional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/work_pool.h"

namespace fpo::coordinator {

// Runs the steps of one stream one after the other on the pool, whoever asks for them and however
// often. A stream's state then needs no lock, and no gRPC call is made under one. Thread-safe.
class StreamLoop {
 public:
  // `step` returns false when it has destroyed the stream and this loop with it.
  StreamLoop(WorkPool* pool, std::function<bool()> step) : pool_(pool), step_(std::move(step)) {}
  void Wake();  // a step begins after this call

 private:
  void Run();

  WorkPool* const pool_;
  const std::function<bool()> step_;
  std::atomic<int64_t> wakes_ = 0;
};

// A stream that the server can end.
class OpenStream {
 public:
  virtual ~OpenStream() = default;
  virtual void End(const absl::Status& why) = 0;  // returns at once
};

// The streams that are open, so that a shutdown ends them instead of waiting. Thread-safe.
class OpenStreams {
 public:
  void Add(OpenStream* stream);  // ended at once when EndAll was called before
  void Remove(OpenStream* stream);
  void EndAll(const absl::Status& why);

 private:
  absl::Mutex mu_;
  std::set<OpenStream*> streams_ ABSL_GUARDED_BY(mu_);
  absl::Status ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
