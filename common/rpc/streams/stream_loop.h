#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "common/rpc/work_pool.h"

namespace fpo {

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

}  // namespace fpo
