#include "worker/trainer/train/sequence_batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace fpo::train {
namespace {

std::vector<int64_t> List(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<int64_t>(), whole.data_ptr<int64_t>() + whole.numel()};
}

// Prompt [bos a b], response [c d end]: rows 2 3 4 predict it, rows 3 4 5 are it.
TEST(SequenceBatch, TwoRowLists) {
  const std::vector<int32_t> prompt = {2, 10, 11}, response = {12, 13, 1}, short_one = {9};
  const auto batch = MakeSequenceBatch({{prompt, response}, {prompt, short_one}}, at::kCPU);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(List(batch->ids), (std::vector<int64_t>{2, 10, 11, 12, 13, 1, 2, 10, 11, 9, 0, 0}));
  EXPECT_EQ(List(batch->logp_rows), (std::vector<int64_t>{2, 3, 4, 8}));
  EXPECT_EQ(List(batch->response_rows), (std::vector<int64_t>{3, 4, 5, 9}));
  EXPECT_EQ(List(batch->targets), (std::vector<int64_t>{12, 13, 1, 9}));
  EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 0, 0, 1}));
  EXPECT_EQ(batch->tokens[0].item<double>(), 3);
  EXPECT_EQ(batch->tokens[1].item<double>(), 1);
  EXPECT_EQ(batch->real_tokens, 10);
}

TEST(SequenceBatch, EmptySidesAreRefused) {
  const std::vector<int32_t> some = {2}, none;
  EXPECT_FALSE(MakeSequenceBatch({{none, some}}, at::kCPU).ok());
  EXPECT_FALSE(MakeSequenceBatch({{some, none}}, at::kCPU).ok());
}

TEST(SequenceBatch, GroupsFitTheirTokens) {
  const auto groups = GroupByLength({3, 10, 4, 4, 50}, 12);
  EXPECT_EQ(groups, (std::vector<std::vector<int64_t>>{{4}, {1}, {2, 3, 0}}));
  EXPECT_TRUE(GroupByLength({}, 12).empty());
}

}  // namespace
}  // namespace fpo::train
