#include "train/parallel/range_gather.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/parallel/gradient_exchange.h"

namespace fpo::train {
namespace {

struct GatheredUnit {
  size_t bucket;
  int64_t begin;
  at::Tensor own;
  at::Tensor all;  // [world, n]
  std::unique_ptr<Transfer> transfer;
};

absl::Status Complete(const RangeGather& gather, const GatheredUnit& unit) {
  FPO_RETURN_IF_ERROR(unit.transfer->Wait());
  AdvanceWork(0);
  for (int64_t rank = 0; rank < gather.plan.world(); ++rank) {
    gather.write(unit.bucket, rank, unit.begin, unit.all[rank]);
  }
  return absl::OkStatus();
}

absl::Status GatherBuckets(const RangeGather& gather, size_t first, size_t end) {
  const at::NoGradGuard no_grad;
  const int64_t world = gather.plan.world();
  const int64_t most = GradientExchange::UnitColumns(world);
  std::optional<GatheredUnit> last;
  for (size_t bucket = first; bucket < end; ++bucket) {
    const int64_t range = gather.plan.buckets()[bucket].range;
    for (int64_t begin = 0; begin < range; begin += most) {
      const int64_t columns = std::min(most, range - begin);
      GatheredUnit unit{bucket, begin, at::empty({columns}, gather.like),
                        at::empty({world, columns}, gather.like), nullptr};
      gather.read(bucket, begin, unit.own);
      FPO_ASSIGN_OR_RETURN(unit.transfer, gather.group.StartAllGather(unit.all, unit.own));
      if (last.has_value()) FPO_RETURN_IF_ERROR(Complete(gather, *last));
      last = std::move(unit);
    }
  }
  return last.has_value() ? Complete(gather, *last) : absl::OkStatus();
}

}  // namespace

absl::Status Gather(const RangeGather& gather) {
  return GatherBuckets(gather, 0, gather.plan.buckets().size());
}

absl::Status GatherBucket(const RangeGather& gather, size_t bucket) {
  return GatherBuckets(gather, bucket, bucket + 1);
}

}  // namespace fpo::train
