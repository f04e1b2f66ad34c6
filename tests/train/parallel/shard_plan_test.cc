#include "train/parallel/shard_plan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "train/model/gemma.h"
#include "train/model/lora.h"
#include "train/parallel/step_traffic.h"

namespace fpo::train {
namespace {

Gemma Model() { return Gemma::Random(TinyForTest(), 1, at::kFloat); }

TEST(ShardPlan, ABlockIsABucket) {
  const Gemma model = Model();
  const ShardPlan plan(model.Parameters(), 2);
  const auto layers = static_cast<size_t>(model.config().layers);
  ASSERT_EQ(plan.buckets().size(), layers + 2);
  EXPECT_EQ(plan.buckets().front().layer, ShardBucket::kBeforeBlocks);
  EXPECT_EQ(plan.buckets().front().count, 1u);
  for (size_t i = 0; i < layers; ++i) {
    EXPECT_EQ(plan.buckets()[i + 1].layer, static_cast<int64_t>(i));
  }
  EXPECT_EQ(plan.buckets().back().layer, ShardBucket::kBehindBlocks);
}

TEST(ShardPlan, AnAdapterHasBlocksOnly) {
  Gemma model = Model();
  const LoraConfig lora = *MakeLoraConfig(2, 4, {"q_proj", "down_proj"});
  model.Adapt(lora, NewLora(model.config(), lora, 1));
  const ShardPlan plan(model.Trained(), 2);
  ASSERT_EQ(plan.buckets().size(), static_cast<size_t>(model.config().layers));
  for (const ShardBucket& bucket : plan.buckets()) EXPECT_EQ(bucket.count, 4u);
}

// More ranks than elements as well: the last ones have nothing then.
TEST(ShardPlan, EachElementIsInOneRange) {
  NamedTensors tensors = {{"embed", at::zeros({3, 5})},
                          {"layers.0.a", at::zeros({7})},
                          {"layers.0.b", at::zeros({2})},
                          {"layers.1.a", at::zeros({1})},
                          {"norm", at::zeros({4})}};
  for (int64_t world = 1; world <= 9; ++world) {
    const ShardPlan plan(tensors, world);
    std::vector<std::vector<int>> owners;
    for (const auto& [name, tensor] : tensors) owners.emplace_back(tensor.numel(), 0);
    for (int64_t rank = 0; rank < world; ++rank) {
      for (const ShardPiece& piece : plan.PiecesOf(rank)) {
        const ShardBucket& bucket = plan.buckets()[piece.bucket];
        EXPECT_LE(piece.offset + piece.end - piece.begin, bucket.range);
        for (int64_t i = piece.begin; i < piece.end; ++i) ++owners[piece.tensor][i];
      }
    }
    for (const auto& tensor : owners) {
      for (const int count : tensor) EXPECT_EQ(count, 1) << world << " ranks";
    }
  }
}

// The formula by hand: ranges of 8, 5, 1 and 2 elements with two ranks, of 4, 3, 1 and 1 with four.
TEST(ShardPlan, TrafficIsWhatTheRangesSay) {
  const NamedTensors tensors = {{"embed", at::zeros({3, 5})},
                                {"layers.0.a", at::zeros({9})},
                                {"layers.1.a", at::zeros({1})},
                                {"norm", at::zeros({4})}};
  const ShardPlan one(tensors, 1), two(tensors, 2), four(tensors, 4);
  ASSERT_EQ(two.RangeElements(), 16);
  ASSERT_EQ(four.RangeElements(), 9);
  const auto traffic = [](const ShardPlan& plan, Sharding sharding) {
    return TrafficOfStep(plan, {sharding, 4, 2, 3, 10});
  };
  for (const Sharding sharding : {Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients}) {
    EXPECT_EQ(traffic(one, sharding), StepTraffic{});
  }
  EXPECT_EQ(traffic(two, Sharding::kNone), (StepTraffic{2 * 16 * 4, 0, 80}));
  EXPECT_EQ(traffic(two, Sharding::kOptimizer), (StepTraffic{16 * 4, 16 * 2, 80}));
  EXPECT_EQ(traffic(two, Sharding::kGradients), (StepTraffic{3 * 16 * 4, 16 * 2, 80}));
  EXPECT_EQ(traffic(four, Sharding::kNone), (StepTraffic{2 * 3 * 9 * 4, 0, 240}));
  EXPECT_EQ(traffic(four, Sharding::kOptimizer), (StepTraffic{3 * 9 * 4, 3 * 9 * 2, 240}));
}

}  // namespace
}  // namespace fpo::train
