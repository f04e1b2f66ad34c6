#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "train/model/backward_watch.h"
#include "train/optim/gradient_buffer.h"
#include "train/parallel/gradient_exchange.h"
#include "train/parallel/shard_plan.h"

namespace fpo::train {

// Sends the gradients of a bucket as soon as backward has all of them, and drops them. The last
// bucket leaves first, on all ranks, whatever their passes: so that all send in the same order.
class BucketSender final : public BackwardWatch {
 public:
  // All must outlive it; `gradients` are those of the plan's tensors.
  BucketSender(const ShardPlan& plan, GradientBuffer& gradients, GradientExchange& exchange);

  void Begin();  // a round: each bucket leaves once in it
  void OnForward() override { ++passes_; }
  void OnBackward(int64_t layer) override;
  // Sends the buckets that are still here, as zeros unless `computed`. Fails when a gradient came
  // after its bucket had left, or the exchange has failed.
  absl::Status End(bool computed);

 private:
  bool IsReached(const ShardBucket& bucket) const;
  void SendNext();  // the last of those waiting

  const ShardPlan& plan_;
  GradientBuffer& gradients_;
  GradientExchange& exchange_;
  int64_t passes_ = 0;
  std::map<int64_t, int64_t> reached_;  // passes by the layer that backward has come to
  size_t waiting_ = 0;                  // buckets [0, waiting_) have not left
};

}  // namespace fpo::train
