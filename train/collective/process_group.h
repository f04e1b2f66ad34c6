#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// A call that has been started.
class Transfer {
 public:
  virtual ~Transfer() = default;
  // When it returns, the results are there for what the caller computes next.
  virtual absl::Status Wait() = 0;
};

// The ranks of one run. Every call is collective: all ranks must make the same calls in the same
// order. Sums add the parts in rank order, so that all ranks get the same bits and repeated runs
// reproduce them. A lost peer is Aborted. Not thread-safe.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t world() const = 0;
  // Sums in place, elementwise over the ranks.
  virtual absl::Status Sum(std::vector<double>* values) = 0;
  // Sums, in place, tensors of one floating dtype that have the same shapes on all ranks.
  virtual absl::Status Sum(const std::vector<at::Tensor>& tensors) = 0;
  // Returns every rank's bytes, indexed by rank; `own` must have the same length on all ranks.
  virtual absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) = 0;
  // Waits for all ranks, however long those that arrive late work; `what` says what they do. The
  // only call with that patience: a rank that works alone for minutes is waited for here.
  virtual absl::Status Barrier(absl::string_view what) = 0;

  // Starts giving row r of `in` to rank r, and taking row r of `out` from it. Both are contiguous,
  // [world, n], of one dtype on the group's device, and must not be touched before the end.
  virtual absl::StatusOr<std::unique_ptr<Transfer>> StartAllToAll(const at::Tensor& out,
                                                                  const at::Tensor& in) = 0;
  // Starts giving `own` [n] to all, and taking row r of `all` [world, n] from rank r.
  virtual absl::StatusOr<std::unique_ptr<Transfer>> StartAllGather(const at::Tensor& all,
                                                                   const at::Tensor& own) = 0;
  // Bytes that this rank has given to others so far, each once for each rank that gets it.
  virtual int64_t sent_bytes() const = 0;
};

}  // namespace fpo::train
