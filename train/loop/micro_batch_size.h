#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// How many tokens, packed or padded, a micro-batch of one kind of work may have: what the job asks
// for, halved each time that one does not fit into memory. Not thread-safe.
class MicroBatchSize {
 public:
  struct Options {
    int64_t tokens = 16384;
    bool halve = false;  // else running out of memory ends the work, as everywhere
    c10::Device device = c10::kCPU;
    std::function<void(const std::string&)> warn = {};  // of each halving; may be empty
  };
  explicit MicroBatchSize(Options options);

  int64_t tokens() const { return tokens_; }
  bool halved() const { return tokens_ < options_.tokens; }
  void Limit(int64_t tokens);  // to at most this, at least 1

  // The micro-batch that `work` computes at the moment.
  struct Current {
    int64_t items = 0;  // pairs, or responses
    int64_t tokens = 0;
  };
  // May be called several times, and starts again each time: nothing of an attempt that ran out of
  // memory may count. Cuts its items by `tokens` and keeps `*current` true.
  using Work = std::function<absl::Status(int64_t tokens, Current* current)>;

  // Calls `work` until its micro-batches fit. `what` names it ("step 3"). When one item alone does
  // not fit: the exit code for lack of memory.
  absl::Status Run(const std::string& what, const Work& work);
  // Calls `work` once. False: its micro-batches did not fit, and the next will be smaller.
  absl::StatusOr<bool> Try(const std::string& what, const Work& work);

 private:
  void Halve(const std::string& what, const Current& current, const absl::Status& status);
  const Options options_;
  int64_t tokens_;
};

}  // namespace fpo::train
