#include "train/data/batcher.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Lengths(int64_t pairs) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < pairs; ++i) lengths.push_back(5 + i * 37 % 100);
  return lengths;
}

std::vector<int64_t> Flat(const BatchStep& step) {
  std::vector<int64_t> all;
  for (const auto& batch : step.micro_batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(BatcherTest, AnEpochIsEveryPairOnce) {
  const Batcher batcher(Lengths(37), {.pairs_per_step = 8});
  EXPECT_EQ(batcher.StepsPerEpoch(), 5);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<int64_t> seen;
    for (int64_t step = 0; step < 5; ++step) {
      const BatchStep batch = batcher.Step(epoch * 5 + step);
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_EQ(batch.position, step * 8);
      EXPECT_EQ(batch.pairs, step == 4 ? 5 : 8);  // the partial step is kept
      for (const int64_t pair : Flat(batch)) seen.insert(pair);
    }
    EXPECT_EQ(seen.size(), 37u);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 37u);
  }
}

TEST(BatcherTest, TheShuffleIsFixedForever) {
  // Stored runs resume against this order: it may not change with compiler, library or release.
  const Batcher batcher(Lengths(10), {.seed = 42});
  EXPECT_THAT(batcher.EpochOrder(0), ElementsAre(4, 6, 7, 0, 9, 5, 1, 2, 3, 8));
  EXPECT_NE(batcher.EpochOrder(0), batcher.EpochOrder(1));
  EXPECT_NE(batcher.EpochOrder(0), Batcher(Lengths(10), {.seed = 43}).EpochOrder(0));
  std::vector<int64_t> file_order(10);
  std::iota(file_order.begin(), file_order.end(), 0);
  EXPECT_EQ(Batcher(Lengths(10), {.shuffle = false}).EpochOrder(3), file_order);
}

TEST(BatcherTest, EveryPositionIsEquallyLikely) {
  std::vector<int> first(5);
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    ++first[static_cast<size_t>(Batcher(Lengths(5), {.seed = seed}).EpochOrder(0)[0])];
  }
  for (const int count : first) EXPECT_NEAR(count, 4000, 300);
}

TEST(BatcherTest, MicroBatchesObeyTheTokenLimit) {
  const std::vector<int64_t> lengths = Lengths(64);
  const Batcher::Options options = {.pairs_per_step = 64, .tokens_per_microbatch = 400};
  const BatchStep step = Batcher(lengths, options).Step(0);
  int64_t previous = INT64_MAX;
  for (const auto& batch : step.micro_batches) {
    ASSERT_FALSE(batch.empty());
    const int64_t longest = lengths[static_cast<size_t>(batch.front())];
    EXPECT_LE(longest, previous);
    previous = longest;
    EXPECT_LE(longest * 2 * static_cast<int64_t>(batch.size()), 400);
  }
  const auto alone = CutMicroBatches({0, 1}, {{1000, 1000}}, options);
  EXPECT_EQ(alone.size(), 2u);  // longer than the limit: one pair at a time
}

// Packed, a pair counts with its own tokens: short ones beside a long one cost little.
TEST(BatcherTest, PackedMicroBatchesAreCutByTheirOwnTokens) {
  const PairLengths lengths({100, 10, 20, 60}, {150, 18, 30, 90});
  const auto cut = [&](int64_t tokens) {
    return CutMicroBatches({0, 1, 2, 3}, lengths, {.tokens_per_microbatch = tokens});
  };
  using Batches = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(cut(288), (Batches{{0, 3, 2, 1}}));
  EXPECT_EQ(cut(287), (Batches{{0, 3, 2}, {1}}));
  EXPECT_EQ(cut(150), (Batches{{0}, {3, 2, 1}}));
  EXPECT_EQ(cut(1), (Batches{{0}, {3}, {2}, {1}}));
  EXPECT_EQ(MicroBatchTokens({3, 2, 1}, lengths, 2), 138);
  EXPECT_EQ(MicroBatchTokens({3, 2, 1}, lengths.longest, 2), 3 * 2 * 60);
  const Batcher batcher(lengths, {.pairs_per_step = 4, .tokens_per_microbatch = 150});
  EXPECT_EQ(batcher.Step(0).micro_batches, (Batches{{0}, {3, 2, 1}}));
  EXPECT_EQ(batcher.TokensOf({0}), 150);
}

TEST(BatcherTest, EpochsCountEveryPair) {
  const Batcher batcher(Lengths(37), {.pairs_per_step = 8});  // five steps, the last one of 5 pairs
  EXPECT_EQ(batcher.EpochsAfter(0), 0);
  for (int64_t steps = 1; steps < 12; ++steps) {
    const BatchStep last = batcher.Step(steps - 1);
    EXPECT_EQ(batcher.EpochsAfter(steps), static_cast<double>(last.epoch) +
                                              static_cast<double>(last.position + last.pairs) / 37)
        << steps;
  }
}

TEST(BatcherTest, StepsInAnyOrderAreTheSame) {
  const Batcher jumping(Lengths(37), {.pairs_per_step = 8});
  for (const int64_t step : {0, 7, 2, 11, 6, 1}) {
    EXPECT_EQ(jumping.Step(step).micro_batches,
              Batcher(Lengths(37), {.pairs_per_step = 8}).Step(step).micro_batches)
        << step;
  }
}

TEST(BatcherTest, RanksShareAStep) {
  const std::vector<int64_t> lengths = Lengths(50);
  const Batcher whole(lengths, {.pairs_per_step = 12});
  for (int64_t step = 0; step < 8; ++step) {
    std::multiset<int64_t> together;
    for (int64_t rank = 0; rank < 3; ++rank) {
      const Batcher part(lengths, {.pairs_per_step = 12, .rank = rank, .world = 3});
      const BatchStep mine = part.Step(step);
      EXPECT_EQ(mine.pairs, whole.Step(step).pairs);  // N of the loss is global
      for (const int64_t pair : Flat(mine)) together.insert(pair);
    }
    std::vector<int64_t> all = Flat(whole.Step(step));
    EXPECT_EQ(together, std::multiset<int64_t>(all.begin(), all.end()));
  }
}

}  // namespace
}  // namespace fpo::train
