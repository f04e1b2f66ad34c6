#include "train/reference/sequence_batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

std::vector<int64_t> List(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  return {whole.data_ptr<int64_t>(), whole.data_ptr<int64_t>() + whole.numel()};
}

// Prompt [bos a b], response [c d end]: rows 2 3 4 predict it, rows 3 4 5 are it.
TEST(SequenceBatch, TwoRowLists) {
  const std::vector<int32_t> prompt = {2, 10, 11}, response = {12, 13, 1}, short_one = {9};
  const auto batch =
      MakeSequenceBatch({{prompt, response}, {prompt, short_one}}, at::kCPU, int64_t{1000});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->parts.size(), 1u);
  const BatchPart& part = batch->parts[0];
  EXPECT_EQ(List(part.ids), (std::vector<int64_t>{2, 10, 11, 12, 13, 1, 2, 10, 11, 9, 0, 0}));
  EXPECT_EQ(List(part.logp_rows), (std::vector<int64_t>{2, 3, 4, 8}));
  EXPECT_EQ(List(part.response_rows), (std::vector<int64_t>{3, 4, 5, 9}));
  EXPECT_EQ(List(batch->targets), (std::vector<int64_t>{12, 13, 1, 9}));
  EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 0, 0, 1}));
  EXPECT_EQ(batch->tokens[0].item<double>(), 3);
  EXPECT_EQ(batch->tokens[1].item<double>(), 1);
  EXPECT_EQ(batch->real_tokens, 10);
  EXPECT_EQ(batch->computed_tokens, 12);
  EXPECT_EQ(batch->greatest_id, 13);
}

TEST(SequenceBatch, ContextIsReadAndHasNoRows) {
  const std::vector<int32_t> prompt = {2}, response = {12, 1, ~13, ~14, 15, 1}, other = {9};
  for (const int64_t part_cost : {int64_t{1000}, int64_t{0}}) {
    const auto batch =
        MakeSequenceBatch({{prompt, other}, {prompt, response}}, at::kCPU, part_cost);
    ASSERT_TRUE(batch.ok()) << batch.status();
    const BatchPart& part = batch->parts[0];               // of two, the longer one's
    const int64_t row = batch->parts.size() == 1 ? 7 : 0;  // where the sequence begins
    const at::Tensor ids = part.ids.flatten().slice(0, row, row + 7);
    EXPECT_EQ(List(ids), (std::vector<int64_t>{2, 12, 1, 13, 14, 15, 1}));
    EXPECT_EQ(List(batch->targets), (std::vector<int64_t>{9, 12, 1, 15, 1}));
    EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 1, 1, 1, 1}));
    EXPECT_EQ(batch->tokens[1].item<double>(), 4);
    EXPECT_EQ(batch->rows, 5);
    EXPECT_EQ(batch->real_tokens, 9);
    EXPECT_EQ(batch->greatest_id, 15);
    std::vector<at::Tensor> rows;
    for (const BatchPart& each : batch->parts) {
      rows.push_back(each.ids.flatten().index_select(0, each.response_rows));
    }
    at::Tensor in_order = at::cat(rows);
    if (batch->row_order.defined()) in_order = in_order.index_select(0, batch->row_order);
    EXPECT_EQ(List(in_order), List(batch->targets));
  }
}

TEST(SequenceBatch, PartsComeBackInSequenceOrder) {
  const std::vector<int32_t> prompt = {2}, a = {10, 11}, b = {20, 21, 22, 23, 24, 1}, c = {30};
  const auto batch =
      MakeSequenceBatch({{prompt, a}, {prompt, b}, {prompt, c}}, at::kCPU, int64_t{0});
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->parts.size(), 3u);  // free parts: no padding at all
  EXPECT_EQ(batch->computed_tokens, batch->real_tokens);
  std::vector<at::Tensor> ids;
  for (const BatchPart& part : batch->parts) {
    ids.push_back(part.ids.flatten().index_select(0, part.response_rows));
  }
  // The token at a response row is its own target.
  EXPECT_EQ(List(at::cat(ids).index_select(0, batch->row_order)), List(batch->targets));
  EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 0, 1, 1, 1, 1, 1, 1, 2}));
}

// [bos | a end (c) (d) e | f]: the row before a token predicts it, whether that row is context.
TEST(SequenceBatch, PackedContextIsReadAndHasNoRows) {
  const FastPathsInScope fast({true, true, true});
  const std::vector<int32_t> prompt = {2}, response = {12, 1, ~13, ~14, 15}, other = {~8, 9};
  const auto batch = MakeSequenceBatch({{prompt, response}, {prompt, other}}, at::kCPU);
  ASSERT_TRUE(batch.ok()) << batch.status();
  const BatchPart& part = batch->parts.at(0);
  EXPECT_EQ(List(part.ids.flatten()), (std::vector<int64_t>{2, 12, 1, 13, 14, 15, 8, 9}));
  EXPECT_EQ(List(part.logp_rows), (std::vector<int64_t>{0, 1, 4, 6}));
  EXPECT_EQ(List(part.response_rows), (std::vector<int64_t>{1, 2, 5, 7}));
  EXPECT_EQ(List(batch->targets), (std::vector<int64_t>{12, 1, 15, 9}));
  EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 0, 0, 1}));
}

// [bos a b | c d end | e], then [bos | f g]: the prompt's last row predicts both responses to it.
TEST(SequenceBatch, PackedResponsesShareTheirPrompt) {
  const FastPathsInScope fast({true, true, true});
  const std::vector<int32_t> prompt = {2, 10, 11}, same = prompt, other = {2};
  const std::vector<int32_t> a = {12, 13, 1}, b = {9}, c = {20, 21};
  const auto batch = MakeSequenceBatch({{prompt, a}, {other, c}, {same, b}}, at::kCPU);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->parts.size(), 1u);
  const BatchPart& part = batch->parts[0];
  EXPECT_EQ(List(part.ids), (std::vector<int64_t>{2, 10, 11, 12, 13, 1, 9, 2, 20, 21}));
  EXPECT_EQ(List(part.layout->positions), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 3, 0, 1, 2}));
  EXPECT_EQ(List(part.layout->kept), (std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 9}));
  // Rows 2 3 4 7 8 2 predict, rows 3 4 5 8 9 6 are.
  EXPECT_EQ(List(part.layout->kept.index_select(0, part.logp_rows)),
            (std::vector<int64_t>{2, 3, 4, 7, 8, 2}));
  EXPECT_EQ(List(part.layout->kept.index_select(0, part.response_rows)),
            (std::vector<int64_t>{3, 4, 5, 8, 9, 6}));
  EXPECT_EQ(List(batch->targets), (std::vector<int64_t>{12, 13, 1, 20, 21, 9}));
  EXPECT_EQ(List(batch->response_of_row), (std::vector<int64_t>{0, 0, 0, 1, 1, 2}));
  EXPECT_FALSE(batch->row_order.defined());
  EXPECT_EQ(batch->real_tokens, 13);
  EXPECT_EQ(batch->computed_tokens, 10);
  // A device pads: launches for each part cost more there.
  const auto on_device = MakeSequenceBatch({{prompt, a}, {same, b}}, at::kMeta);
  ASSERT_TRUE(on_device.ok());
  EXPECT_EQ(on_device->parts[0].layout, nullptr);
}

// [bos a b | (c) d | e], [bos]: places of responses, which may be empty.
TEST(SequenceBatch, PackedSequencesHavePlaces) {
  const std::vector<int32_t> prompt = {2, 10, 11}, other = {2}, a = {~12, 13}, b = {9}, none;
  const PackedSequences packed =
      PackSequences({{prompt, a}, {other, none}, {prompt, none}, {prompt, b}}, at::kCPU);
  EXPECT_EQ(List(packed.ids), (std::vector<int64_t>{2, 10, 11, 12, 13, 9, 2}));
  ASSERT_EQ(packed.layout->groups.size(), 2u);
  EXPECT_EQ(packed.layout->groups[0].responses, (std::vector<int64_t>{2, 1}));
  EXPECT_TRUE(packed.layout->groups[1].responses.empty());
  std::vector<std::pair<size_t, int64_t>> places;
  for (const PackedPlace& place : packed.places) places.emplace_back(place.group, place.first_row);
  EXPECT_EQ(places, (std::vector<std::pair<size_t, int64_t>>{{0, 3}, {1, 1}, {0, 5}, {0, 5}}));
  EXPECT_EQ(List(PadSequences({{prompt, a}, {other, b}})),
            (std::vector<int64_t>{2, 10, 11, 12, 13, 2, 9, 0, 0, 0}));
}

TEST(SequenceBatch, PartsWeighPaddingAgainstTheirCost) {
  EXPECT_EQ(CutIntoParts({4, 100, 96, 5}, 20), (std::vector<std::vector<int64_t>>{{1, 2}, {3, 0}}));
  EXPECT_EQ(CutIntoParts({4, 100, 96, 5}, 100000).size(), 1u);
  EXPECT_TRUE(CutIntoParts({}, 20).empty());
}

TEST(SequenceBatch, EmptySidesAreRefused) {
  const std::vector<int32_t> some = {2}, none, context = {~5};
  EXPECT_FALSE(MakeSequenceBatch({{none, some}}, at::kCPU).ok());
  EXPECT_FALSE(MakeSequenceBatch({{some, none}}, at::kCPU).ok());
  EXPECT_FALSE(MakeSequenceBatch({{some, context}}, at::kCPU).ok());
}

// In their order, and a prompt counts once in a group.
TEST(SequenceBatch, PackedGroupsFitTheirTokens) {
  const std::vector<int32_t> p = {2, 5, 6, 7}, q = {2, 5}, a = {8, 9}, b = {8, 9, 10};
  const std::vector<Sequence> sequences = {{p, a}, {p, b}, {q, a}, {p, a}, {q, b}};
  using Groups = std::vector<std::vector<int64_t>>;
  EXPECT_EQ(GroupPacked(sequences, 18), (Groups{{0, 1, 2, 3, 4}}));
  EXPECT_EQ(GroupPacked(sequences, 17), (Groups{{0, 1, 2, 3}, {4}}));
  EXPECT_EQ(GroupPacked(sequences, 9), (Groups{{0, 1}, {2}, {3}, {4}}));
  EXPECT_EQ(GroupPacked(sequences, 1), (Groups{{0}, {1}, {2}, {3}, {4}}));
  EXPECT_TRUE(GroupPacked({}, 9).empty());
  for (const std::vector<int64_t>& group : GroupPacked(sequences, 9)) {
    std::vector<Sequence> members;
    for (const int64_t i : group) members.push_back(sequences[static_cast<size_t>(i)]);
    if (!PacksBatches(at::kCPU)) continue;
    EXPECT_LE(MakeSequenceBatch(members, at::kCPU)->computed_tokens, 9);
  }
}

TEST(SequenceBatch, GroupsFitTheirTokens) {
  const auto groups = GroupByLength({3, 10, 4, 4, 50}, 12);
  EXPECT_EQ(groups, (std::vector<std::vector<int64_t>>{{4}, {1}, {2, 3, 0}}));
  EXPECT_TRUE(GroupByLength({}, 12).empty());
}

}  // namespace
}  // namespace fpo::train
