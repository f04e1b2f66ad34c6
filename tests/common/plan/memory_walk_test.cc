#include "common/plan/memory_walk.h"

#include <gtest/gtest.h>

namespace fpo {
namespace {

// One layer of hidden size 2, one head of 2, feed-forward 4, vocabulary 8; float32.
StepSizes TinyStep() {
  StepSizes step;
  step.model.layers = 1;
  step.model.hidden = 2;
  step.model.heads = step.model.kv_heads = 1;
  step.model.head_dim = 2;
  step.model.feed_forward = 4;
  step.model.vocab = 8;
  return step;
}

// Three rows, all read, two of them scored.
BatchSizes ThreeRows() {
  BatchSizes batch;
  batch.rows = batch.kept_rows = 3;
  batch.sequences = 1;
  batch.longest = 3;
  batch.unit_rows = {2};
  return batch;
}

TEST(MemoryWalk, KeepsTheFullestMoment) {
  MemoryWalk walk;
  walk.Take(MemoryUse::kActivations, 10);
  walk.Take(MemoryUse::kTemporary, 5);
  walk.Give(MemoryUse::kTemporary, 5);
  walk.Take(MemoryUse::kGradients, 4);
  EXPECT_EQ(walk.now().Sum(), 14);
  EXPECT_EQ(walk.peak().Sum(), 15);
  EXPECT_EQ(walk.peak()[MemoryUse::kTemporary], 5);
  EXPECT_EQ(walk.peak()[MemoryUse::kGradients], 0) << "taken later";
}

// 16 of the embedding, 4 x 2 x 2 of attention, 3 x 2 x 4 of the MLP, 4 norms and the last one of 2.
TEST(MemoryWalk, ParametersAreCounted) {
  EXPECT_EQ(TinyStep().model.Parameters(), 16 + 16 + 24 + 8 + 2);
  StepSizes untied = TinyStep();
  untied.model.tied_head = false;
  EXPECT_EQ(untied.model.Parameters(), 66 + 16);
}

// In the MLP: the block's input, z, projection, sum, norm and result of 3 x 2, and gate, up and
// their product of 3 x 4.
TEST(MemoryWalk, ScoringIsFullestInTheMlp) {
  const MemoryUses peak = ScoringPeak(TinyStep(), ThreeRows());
  EXPECT_EQ(peak[MemoryUse::kTemporary], (6 * 3 * 2 + 3 * 3 * 4) * 4);
  EXPECT_EQ(peak.Sum(), peak[MemoryUse::kTemporary]);
}

// With a large vocabulary it is the head: two hidden rows and their logits.
TEST(MemoryWalk, ScoringWithALargeVocabularyIsFullestInTheHead) {
  StepSizes step = TinyStep();
  step.model.vocab = 1000;
  const MemoryUses peak = ScoringPeak(step, ThreeRows());
  EXPECT_EQ(peak[MemoryUse::kHead], 2 * 1000 * 4);
  EXPECT_EQ(peak[MemoryUse::kActivations], 2 * 2 * 4);
}

// Kept of a layer: its input, two norms, projection, sum and MLP result of 3 x 2; q, k, v and z of
// 3 x 2 with three normalizers; gate, up and product of 3 x 4; a scale for each row of four norms.
TEST(MemoryWalk, EachLayerKeepsTheSame) {
  StepSizes four = TinyStep(), five = TinyStep();
  four.model.layers = 4;
  five.model.layers = 5;
  const int64_t kept = (6 * 6 + 4 * 6 + 3 + 3 * 12 + 4 * 3) * 4;
  EXPECT_EQ(TrainingPeak(five, ThreeRows(), true)[MemoryUse::kActivations] -
                TrainingPeak(four, ThreeRows(), true)[MemoryUse::kActivations],
            kept);
}

// Of rank 5 beside o and down: a row of each; in bfloat16 what these read too, of 2 and 4 values.
TEST(MemoryWalk, AnAdapterKeepsItsOwnValues) {
  const auto kept_of_layer = [](bool adapted, int64_t element_bytes) {
    StepSizes four = TinyStep(), five = TinyStep();
    for (StepSizes* const step : {&four, &five}) {
      if (adapted) step->model.adapter = {.rank = 5, .o = true, .down = true};
      step->compute.element_bytes = element_bytes;
    }
    four.model.layers = 4;
    five.model.layers = 5;
    return TrainingPeak(five, ThreeRows(), true)[MemoryUse::kActivations] -
           TrainingPeak(four, ThreeRows(), true)[MemoryUse::kActivations];
  };
  EXPECT_EQ(kept_of_layer(true, 4) - kept_of_layer(false, 4), 2 * 3 * 5 * 4);
  EXPECT_EQ(kept_of_layer(true, 2) - kept_of_layer(false, 2), (2 * 3 * 5 + 3 * (2 + 4)) * 4);
}

TEST(MemoryWalk, CheckpointingKeepsInputsAlone) {
  StepSizes four = TinyStep(), five = TinyStep();
  for (StepSizes* step : {&four, &five}) step->compute.checkpointed_layers = 5;
  four.model.layers = 4;
  five.model.layers = 5;
  EXPECT_EQ(TrainingPeak(five, ThreeRows(), true)[MemoryUse::kActivations] -
                TrainingPeak(four, ThreeRows(), true)[MemoryUse::kActivations],
            3 * 2 * 4);
}

// Between all and none; each layer more that is computed again saves the same.
TEST(MemoryWalk, CheckpointedLayersLowerThePeakOneByOne) {
  StepSizes step = TinyStep();
  step.model.layers = 8;
  std::vector<int64_t> peaks;
  for (int64_t layers = 0; layers <= 8; ++layers) {
    step.compute.checkpointed_layers = layers;
    peaks.push_back(TrainingPeak(step, ThreeRows(), true)[MemoryUse::kActivations]);
  }
  for (size_t i = 2; i + 1 < peaks.size(); ++i) {
    EXPECT_EQ(peaks[i - 1] - peaks[i], peaks[0] - peaks[1]) << i;
    EXPECT_LT(peaks[i], peaks[i - 1]);
  }
}

// The head's gradient is made while the sum of the earlier micro-batches is there.
TEST(MemoryWalk, ALaterMicroBatchFindsGradients) {
  const StepSizes step = TinyStep();
  const MemoryUses later = TrainingPeak(step, ThreeRows(), true);
  EXPECT_EQ(later[MemoryUse::kGradients], (66 + 16) * 4);
  EXPECT_EQ(TrainingPeak(step, ThreeRows(), false)[MemoryUse::kGradients], 16 * 4);
}

TEST(MemoryWalk, ChunksHoldWholePairs) {
  EXPECT_EQ(LargestChunk({3, 3, 3}, 7), 6);
  EXPECT_EQ(LargestChunk({20, 3}, 7), 20) << "a pair of up to four chunks is one";
  EXPECT_EQ(LargestChunk({100}, 7), 7) << "a larger one is cut";
  EXPECT_EQ(LargestChunk({2}, 100), 2);
}

}  // namespace
}  // namespace fpo
