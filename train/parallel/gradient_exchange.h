#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "train/collective/process_group.h"
#include "train/parallel/shard_plan.h"

namespace fpo::train {

// Sums the ranks' gradients, in rank order, into the ranges that the ranks own: each gets the W
// parts of its own range and no others. Transfers go on while the caller computes. What has left is
// copied, in units of bounded size; a call waits while more than two blocks' worth is on its way.
// All ranks call Send for the same buckets in the same order, any number of times. An error is kept
// and returned by Finish. Not thread-safe.
class GradientExchange {
 public:
  // `like`: dtype and device of the gradients.
  GradientExchange(const ShardPlan& plan, ProcessGroup& group, const at::TensorOptions& like);

  // Adds this rank's gradients of the bucket's tensors, which it no longer needs on return; empty:
  // zeros. Throws nothing: it is called where backward could not be told from what failed here.
  void Send(size_t bucket, const std::vector<at::Tensor>& gradients);
  absl::Status Finish();  // waits for all that was sent
  const absl::Status& status() const { return status_; }
  // The sum of this rank's range [ShardBucket::range]. After Finish.
  const at::Tensor& Range(size_t bucket) const { return ranges_[bucket]; }
  const std::vector<at::Tensor>& ranges() const { return ranges_; }
  void Clear();  // after Finish

  int64_t sent_bytes() const { return sent_bytes_; }  // so far, to other ranks

  // Columns of a unit: elements of each rank's range that leave in one call.
  static int64_t UnitColumns(int64_t world);

 private:
  struct Unit {
    size_t bucket;
    int64_t begin;  // in the range
    at::Tensor in;  // [world, columns]
    at::Tensor out;
    std::unique_ptr<Transfer> transfer;
  };
  absl::Status Start(size_t bucket, const std::vector<at::Tensor>& gradients);
  absl::Status CompleteOldest();

  const ShardPlan& plan_;
  ProcessGroup& group_;
  const at::TensorOptions like_;
  const int64_t on_the_way_max_;  // elements of `in`
  int64_t on_the_way_ = 0;
  std::deque<Unit> units_;
  std::vector<at::Tensor> ranges_;
  std::vector<int64_t> filled_;  // elements of each range that have a sum
  int64_t sent_bytes_ = 0;
  absl::Status status_;
};

}  // namespace fpo::train
