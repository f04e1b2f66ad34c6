#include "train/sae/response_order.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(RowsByResponse, ListsRowsInOrderAndKeepsEmptyResponses) {
  const at::Tensor owners = at::tensor({2, 0, 2, 0, 3}, at::kLong);
  const auto rows = RowsByResponse({at::zeros({5, 1}), owners, 5});
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_TRUE(at::equal(rows[0], at::tensor({1, 3}, at::kLong)));
  EXPECT_EQ(rows[1].numel(), 0);
  EXPECT_TRUE(at::equal(rows[2], at::tensor({0, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(rows[3], at::tensor({4}, at::kLong)));
  EXPECT_EQ(rows[4].numel(), 0);
}

TEST(RowsByResponse, SizesThatTheCallerKnowsGiveTheSameLists) {
  const at::Tensor owners = at::tensor({0, 0, 2, 3, 3, 3}, at::kLong);
  const at::Tensor rows = at::zeros({6, 1});
  const auto counted = RowsByResponse({rows, owners, 4});
  const auto known = RowsByResponse({rows, owners, 4, {2, 0, 1, 3}});
  ASSERT_EQ(known.size(), counted.size());
  for (size_t i = 0; i < known.size(); ++i) EXPECT_TRUE(at::equal(known[i], counted[i])) << i;
}

TEST(CheckResponseRows, RefusesWhatDoesNotFit) {
  const at::Tensor owners = at::tensor({0, 1}, at::kLong);
  EXPECT_NO_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2}, 3));
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2}, 4), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({3, 3}), owners, 2}, 3), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 1}, 3), c10::Error);
  EXPECT_NO_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {1, 1}}, 3));
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {2}}, 3), c10::Error);
  EXPECT_THROW(CheckResponseRows({at::zeros({2, 3}), owners, 2, {1, 2}}, 3), c10::Error);
}

}  // namespace
}  // namespace fpo::train
