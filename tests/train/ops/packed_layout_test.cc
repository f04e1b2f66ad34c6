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

}  // namespace
}  // namespace fpo::train
