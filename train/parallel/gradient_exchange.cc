#include "train/parallel/gradient_exchange.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "common/failpoint.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/parallel/flat_run.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

// 64 MiB of float32 over all ranks: large enough for throughput, small beside a model.
constexpr int64_t kUnitElements = int64_t{16} << 20;

int64_t TwoBlocks(const ShardPlan& plan) {
  int64_t largest = 0;
  for (const ShardBucket& bucket : plan.buckets()) {
    const bool block =
        bucket.layer != ShardBucket::kBeforeBlocks && bucket.layer != ShardBucket::kBehindBlocks;
    if (block) largest = std::max(largest, bucket.range * plan.world());
  }
  return 2 * largest;
}

}  // namespace

GradientExchange::GradientExchange(const ShardPlan& plan, ProcessGroup& group,
                                   const at::TensorOptions& like)
    : plan_(plan),
      group_(group),
      like_(like),
      on_the_way_max_(TwoBlocks(plan)),
      ranges_(plan.buckets().size()),
      filled_(plan.buckets().size()) {}

int64_t GradientExchange::UnitColumns(int64_t world) {
  return std::max<int64_t>(1, kUnitElements / world);
}

void GradientExchange::Send(size_t bucket, const std::vector<at::Tensor>& gradients) {
  if (!status_.ok()) return;
  status_ = RunTorch([&] { return Start(bucket, gradients); });
}

absl::Status GradientExchange::Start(size_t bucket, const std::vector<at::Tensor>& gradients) {
  FPO_FAILPOINT("train.exchange.send");
  const at::NoGradGuard no_grad;
  const FlatRun run(gradients);
  const int64_t range = plan_.buckets()[bucket].range, world = plan_.world();
  const int64_t most = UnitColumns(world);
  if (!ranges_[bucket].defined()) ranges_[bucket] = at::empty({range}, like_);
  for (int64_t begin = 0; begin < range; begin += most) {
    const int64_t columns = std::min(most, range - begin);
    while (!units_.empty() && on_the_way_ + world * columns > on_the_way_max_) {
      FPO_RETURN_IF_ERROR(CompleteOldest());
    }
    Unit unit{bucket, begin, at::empty({world, columns}, like_), at::empty({world, columns}, like_),
              nullptr};
    for (int64_t rank = 0; rank < world; ++rank) {
      run.Read(rank * range + begin, unit.in[rank]);
    }
    const int64_t before = group_.sent_bytes();
    FPO_ASSIGN_OR_RETURN(unit.transfer, group_.StartAllToAll(unit.out, unit.in));
    sent_bytes_ += group_.sent_bytes() - before;
    on_the_way_ += unit.in.numel();
    units_.push_back(std::move(unit));
  }
  return absl::OkStatus();
}

absl::Status GradientExchange::CompleteOldest() {
  FPO_FAILPOINT("train.exchange.wait");
  const at::NoGradGuard no_grad;
  const Unit unit = std::move(units_.front());
  units_.pop_front();
  on_the_way_ -= unit.in.numel();
  FPO_RETURN_IF_ERROR(unit.transfer->Wait());
  AdvanceWork(0);
  const int64_t columns = unit.out.size(1);
  const at::Tensor sum = ranges_[unit.bucket].narrow(0, unit.begin, columns);
  int64_t rank = 0;
  if (filled_[unit.bucket] <= unit.begin) {
    sum.copy_(unit.out[rank++]);
    filled_[unit.bucket] += columns;
  }
  for (; rank < plan_.world(); ++rank) sum.add_(unit.out[rank]);
  return absl::OkStatus();
}

absl::Status GradientExchange::Finish() {
  while (status_.ok() && !units_.empty()) status_ = CompleteOldest();
  return status_;
}

void GradientExchange::Clear() {
  for (at::Tensor& range : ranges_) range.reset();
  std::fill(filled_.begin(), filled_.end(), 0);
}

}  // namespace fpo::train
