#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "train/collective/process_group.h"
#include "train/parallel/shard_plan.h"

namespace fpo::train {

// Gives every rank what each has in its ranges.
struct RangeGather {
  // Fills `values` [n] with this rank's elements from `begin` of its range on; what lies past the
  // bucket's end is never written anywhere.
  using Source = std::function<void(size_t bucket, int64_t begin, const at::Tensor& values)>;
  // Takes those of a rank, also of this one.
  using Sink =
      std::function<void(size_t bucket, int64_t rank, int64_t begin, const at::Tensor& values)>;

  const ShardPlan& plan;
  ProcessGroup& group;
  at::TensorOptions like;  // dtype and device of the values
  Source read;
  Sink write;
};

// In units of bounded size, of which one is on its way while another is written. Collective.
absl::Status Gather(const RangeGather& gather);
absl::Status GatherBucket(const RangeGather& gather, size_t bucket);

}  // namespace fpo::train
