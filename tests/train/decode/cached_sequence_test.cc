#include "train/decode/cached_sequence.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

CachedSequence Make(int64_t positions, int64_t step) {
  return {TinyForTest(), {positions, step}, at::TensorOptions(at::kFloat)};
}

TEST(CachedSequence, SlidingLayersKeepTheirWindowAndAStep) {
  const GemmaConfig config = TinyForTest();  // a window of 4
  CachedSequence sequence = Make(100, 3);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const bool sliding = config.sliding[static_cast<size_t>(layer)];
    EXPECT_EQ(sequence.layer(layer).slots, sliding ? 7 : 100) << layer;
    EXPECT_EQ(sequence.layer(layer).keys.size(1), sequence.layer(layer).slots);
  }
  EXPECT_EQ(Make(5, 3).layer(0).slots, 5);  // no more than there are positions
}

TEST(CachedSequence, KeepsTheSharedBeginning) {
  const std::vector<int32_t> ids = {2, 5, 6, 7};
  CachedSequence sequence = Make(100, 8);
  sequence.Append(ids.data(), 4);
  EXPECT_EQ(sequence.KeepPrefixOf({2, 5, 6, 7, 9}), 4);
  EXPECT_EQ(sequence.KeepPrefixOf({2, 5, 6, 7}), 3);  // the last one's logits are wanted
  EXPECT_EQ(sequence.KeepPrefixOf({2, 9, 6}), 1);
  EXPECT_EQ(sequence.length(), 1);
  EXPECT_EQ(sequence.KeepPrefixOf({7}), 0);
}

TEST(CachedSequence, ForgetsWhereAWindowHasMovedOn) {
  CachedSequence sequence = Make(100, 2);
  const std::vector<int32_t> ids(20, 7);
  sequence.Append(ids.data(), 20);
  EXPECT_EQ(sequence.KeepPrefixOf(std::vector<int32_t>(19, 7)), 18);
  EXPECT_EQ(sequence.KeepPrefixOf(std::vector<int32_t>(10, 7)), 0);
}

}  // namespace
}  // namespace fpo::train
