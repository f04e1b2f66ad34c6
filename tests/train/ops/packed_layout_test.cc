#include "train/ops/packed_layout.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(PackedLayout, ResponsesContinueAtThePromptsEnd) {
  const auto layout = PackedLayout::Of({{2, {3, 1}}, {1, {}}, {1, {2}}});
  EXPECT_EQ(layout->rows, 10);
  EXPECT_EQ(layout->longest, 5);
  EXPECT_EQ(layout->first, (std::vector<int64_t>{0, 6, 7}));
  EXPECT_TRUE(at::equal(layout->positions, at::tensor({0, 1, 2, 3, 4, 2, 0, 0, 1, 2}, at::kLong)));
}

TEST(PackedLayout, KeepsOfAPromptItsLastRow) {
  const auto layout = PackedLayout::Of({{2, {3, 1}}, {3, {}}, {1, {2}}});
  EXPECT_EQ(layout->kept_rows, 9);
  EXPECT_EQ(layout->first_kept, (std::vector<int64_t>{0, 5, 6}));
  EXPECT_TRUE(at::equal(layout->kept, at::tensor({1, 2, 3, 4, 5, 8, 9, 10, 11}, at::kLong)));
}

}  // namespace
}  // namespace fpo::train
