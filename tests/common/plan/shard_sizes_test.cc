#include "common/plan/shard_sizes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;

ModelSizes Small() {
  ModelSizes model;
  model.layers = 2;
  model.hidden = 4;
  model.heads = model.kv_heads = 1;
  model.head_dim = 4;
  model.feed_forward = 8;
  model.vocab = 11;
  return model;
}

ModelSizes Gemma2_27B() {
  ModelSizes model;
  model.layers = 46;
  model.hidden = 4608;
  model.heads = 32;
  model.kv_heads = 16;
  model.head_dim = 128;
  model.feed_forward = 36864;
  model.vocab = 256000;
  return model;
}

TEST(ShardSizes, BucketsAreEmbeddingBlocksAndTheRest) {
  ModelSizes model = Small();
  EXPECT_THAT(BucketElements(model), ElementsAre(44, 176, 176, 4));
  model.adapter = {.rank = 2, .q = true};
  EXPECT_THAT(BucketElements(model), ElementsAre(16, 16));
}

// By hand: ranges of 11, 44, 44 and 1 elements.
TEST(ShardSizes, FourRanksKeepAFourth) {
  const ModelSizes model = Small();
  const ShardedBytes one = BytesOfRank(model, {"none", 1, 2, 2});
  EXPECT_EQ(one.weights, 400 * 2);
  EXPECT_EQ(one.masters, 400 * 4);
  EXPECT_EQ(one.moments, 400 * 8);
  EXPECT_EQ(one.gradients, 400 * 4);
  EXPECT_EQ(one.exchange + one.gradient_sums + one.gather, 0);
  const ShardedBytes four = BytesOfRank(model, {"optimizer", 4, 2, 2});
  EXPECT_EQ(four.weights, one.weights);
  EXPECT_EQ(four.masters, 100 * 4);
  EXPECT_EQ(four.moments, 100 * 8);
  EXPECT_EQ(four.gradients, one.gradients);
  EXPECT_EQ(four.gradient_sums, 100 * 4);
  EXPECT_EQ(four.exchange, 2 * 352 * 4);  // two blocks, sent and received
  EXPECT_EQ(four.gather, 2 * (176 + 44) * 2);
  const ShardedBytes gradients = BytesOfRank(model, {"gradients", 4, 2, 2});
  EXPECT_EQ(gradients.gradients, (44 + 176) * 4);
  EXPECT_EQ(gradients.masters, four.masters);
  const ShardedBytes wide = BytesOfRank(model, {"gradients", 4, 4, 1});
  EXPECT_EQ(wide.masters, 0);
  EXPECT_EQ(wide.moments, 100 * 4);
}

// The largest model on eight ranks: Adam needs sharded gradients.
TEST(ShardSizes, GradientsAreWhatALargeModelSaves) {
  const auto step = [](const char* shard) {
    return BytesOfRank(Gemma2_27B(), {shard, 8, 2, 2}).Step() / 1e9;
  };
  EXPECT_NEAR(step("none"), 27.2 * 18 + 9, 8);
  EXPECT_LT(step("optimizer"), 230);
  EXPECT_LT(step("gradients"), 130);
}

}  // namespace
}  // namespace fpo
