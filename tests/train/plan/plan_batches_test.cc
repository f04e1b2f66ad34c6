#include "train/plan/plan_batches.h"

#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/loop/model_flops.h"

namespace fpo::train {
namespace {

const std::vector<int32_t> kPrompt = {2, 10, 11}, kOtherPlan = {2, 12};
const std::vector<int32_t> kLong = {20, 21, 22, 23}, kShort = {30, ~31, 32};  // one is context

TEST(PlanBatches, PackedBatchesHoldEachPromptOnce) {
  const BatchSizes sizes = SizesOf({{kPrompt, kLong}, {kPrompt, kShort}}, /*packed=*/true, 2);
  EXPECT_EQ(sizes.rows, 3 + 4 + 3);
  EXPECT_EQ(sizes.kept_rows, 1 + 4 + 3) << "of the prompt the row that predicts";
  EXPECT_EQ(sizes.sequences, 2);
  EXPECT_EQ(sizes.longest, 7);
  EXPECT_EQ(sizes.unit_rows, std::vector<int64_t>{4 + 2}) << "context is not scored";
}

TEST(PlanBatches, PaddedBatchesAreAsLongAsTheLongest) {
  const BatchSizes sizes = SizesOf({{kPrompt, kLong}, {kOtherPlan, kShort}}, /*packed=*/false, 1);
  EXPECT_EQ(sizes.rows, 2 * 7);
  EXPECT_EQ(sizes.unit_rows, (std::vector<int64_t>{4, 2}));
}

// As the batch that the model computes.
TEST(PlanBatches, SizesAreThoseOfTheBatchItself) {
  const TinyRun tiny;
  const auto tokens = *TokenFile::Open(tiny.Path("prepared/train.safetensors"));
  const std::vector<Sequence> sequences = SequencesOf(tokens, {0, 1, 2}, Responses::kBoth);
  const SequenceBatch batch = *MakeSequenceBatch(sequences, at::kCPU);
  const BatchSizes sizes = SizesOf(sequences, PacksBatches(at::kCPU), 2);
  EXPECT_EQ(sizes.scored_rows(), batch.rows);
  if (!PacksBatches(at::kCPU)) return;  // padded on a CPU it is cut into parts
  EXPECT_EQ(sizes.rows, batch.computed_tokens);
  EXPECT_EQ(sizes.kept_rows, batch.parts.front().layout->kept_rows);
  const GemmaConfig config = TinyForTest();
  const double exact = TrainingFlops(config, batch, sequences) / 3;
  EXPECT_NEAR(ForwardFlopsOf(config, sizes), exact, 0.15 * exact);
}

TEST(PlanBatches, TheFullestAreKept) {
  FullestBatches batches;
  for (const int64_t rows : {5, 9, 1, 7, 3}) {
    BatchSizes sizes;
    sizes.rows = rows;
    sizes.unit_rows = {10 - rows};
    batches.Add(sizes);
  }
  std::vector<int64_t> rows;
  for (const BatchSizes& sizes : batches.Take()) rows.push_back(sizes.rows);
  EXPECT_EQ(rows, (std::vector<int64_t>{9, 7, 5, 1, 3, 5}));
}

}  // namespace
}  // namespace fpo::train
