#include "train/parallel/range_gather.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/thread_ranks.h"
#include "train/parallel/flat_run.h"

namespace fpo::train {
namespace {

TEST(RangeGather, EveryRankGetsAllRanges) {
  if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t world : {1, 2, 4}) {
      AsRanks(world, [&](ProcessGroup& group) {
        const NamedTensors tensors = {{"embed", at::zeros({3, 5}, dtype)},
                                      {"layers.0.a", at::zeros({7}, dtype)},
                                      {"layers.0.b", at::zeros({2}, dtype)}};
        const ShardPlan plan(tensors, world);
        const std::vector<FlatRun> runs = {FlatRun({tensors[0].second}),
                                           FlatRun({tensors[1].second, tensors[2].second})};
        const auto value = [](size_t bucket, int64_t rank, int64_t at) {
          return static_cast<float>(100 * static_cast<int64_t>(bucket) + 20 * rank + at);
        };
        const auto read = [&](size_t bucket, int64_t begin, const at::Tensor& values) {
          for (int64_t i = 0; i < values.numel(); ++i) {
            values[i].fill_(value(bucket, group.rank(), begin + i));
          }
        };
        const auto write = [&](size_t bucket, int64_t rank, int64_t begin,
                               const at::Tensor& values) {
          runs[bucket].Write(rank * plan.buckets()[bucket].range + begin, values);
        };
        ASSERT_TRUE(Gather({plan, group, dtype, read, write}).ok());
        for (int64_t rank = 0; rank < world; ++rank) {
          for (const ShardPiece& piece : plan.PiecesOf(rank)) {
            const at::Tensor flat = tensors[piece.tensor].second.view({-1});
            for (int64_t i = piece.begin; i < piece.end; ++i) {
              EXPECT_EQ(flat[i].item<float>(),
                        value(piece.bucket, rank, piece.offset + i - piece.begin));
            }
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace fpo::train
