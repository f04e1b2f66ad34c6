#include "common/plan/memory_plan.h"

#include <gtest/gtest.h>

namespace fpo {
namespace {

// 66 parameters (memory_walk_test.cc).
RunSizes Tiny() {
  RunSizes run;
  ModelSizes& model = run.step.model;
  model.layers = 1;
  model.hidden = 2;
  model.heads = model.kv_heads = 1;
  model.head_dim = 2;
  model.feed_forward = 4;
  model.vocab = 8;
  run.program_bytes = 1000;
  BatchSizes batch;
  batch.rows = batch.kept_rows = 3;
  batch.sequences = 1;
  batch.longest = 3;
  batch.unit_rows = {2};
  run.first_batches = {batch};
  return run;
}

const PhaseMemory& PhaseOf(const std::vector<PhaseMemory>& phases, const std::string& name) {
  for (const PhaseMemory& phase : phases) {
    if (phase.phase == name) return phase;
  }
  static const PhaseMemory none;
  return none;
}

int64_t Bytes(const PhaseMemory& phase, const std::string& name) {
  for (const MemoryPart& part : phase.parts) {
    if (part.name == name) return part.bytes;
  }
  return 0;
}

TEST(PlanMemory, Float32WeightsAreTheirOwnMasters) {
  const PhaseMemory train = PhaseOf(PlanMemory(Tiny()), "train");
  EXPECT_EQ(Bytes(train, "weights"), 66 * 4);
  EXPECT_EQ(Bytes(train, "float32 masters"), 0);
  EXPECT_EQ(Bytes(train, "optimiser moments"), 66 * 8);
  EXPECT_EQ(Bytes(train, "program and libraries"), 1000);
}

TEST(PlanMemory, BFloat16HalvesWeightsAndAddsMasters) {
  RunSizes run = Tiny();
  run.step.compute.element_bytes = 2;
  run.optimizer_moments = 1;
  const PhaseMemory train = PhaseOf(PlanMemory(run), "train");
  EXPECT_EQ(Bytes(train, "weights"), 66 * 2);
  EXPECT_EQ(Bytes(train, "float32 masters"), 66 * 4);
  EXPECT_EQ(Bytes(train, "optimiser moments"), 66 * 4);
}

TEST(PlanMemory, ADeviceHoldsWhatIsComputedAndTheHostTheRest) {
  RunSizes run = Tiny();
  run.step.compute.on_device = true;
  run.copies_checkpoints = true;
  run.reference = ReferencePlace::kRecords;
  run.record_bytes = 500;
  const PhaseMemory train = PhaseOf(PlanMemory(run), "train");
  EXPECT_EQ(train.host_bytes(), 1000 + 500 + 66 * 12) << "program, records, checkpoint";
  EXPECT_GT(train.device_bytes(), 66 * 12);
}

TEST(PlanMemory, AReferenceInMemoryIsAnotherModel) {
  RunSizes run = Tiny();
  run.reference = ReferencePlace::kMemory;
  EXPECT_EQ(HostBytes(PlanMemory(run)) - HostBytes(PlanMemory(Tiny())), 66 * 4);
}

// Embedding, each of 1,000 blocks and final norm have 16, 48 and 2 elements: of four ranks each
// keeps 4, 12 and 1 of them.
TEST(PlanMemory, RanksDivideWhatTheyShard) {
  RunSizes run = Tiny();
  run.step.model.layers = 1000;  // then gradients are more than the activations of a row
  run.first_batches.front().rows = run.first_batches.front().kept_rows = 1;
  run.first_batches.front().unit_rows = {1};
  run.step.compute.element_bytes = 2;
  run.copies_checkpoints = true;
  run.ranks = 4;
  constexpr int64_t kAll = 16 + 1000 * 48 + 2, kOwn = 4 + 1000 * 12 + 1;
  const PhaseMemory none = PhaseOf(PlanMemory(run), "train");
  EXPECT_EQ(Bytes(none, "optimiser moments"), kAll * 8);
  EXPECT_EQ(Bytes(none, "gradients of this rank's ranges"), 0);
  EXPECT_EQ(Bytes(none, "checkpoint being written"), kAll * 12 / 4) << "each writes its part";
  run.shard = "optimizer";
  const PhaseMemory optimizer = PhaseOf(PlanMemory(run), "train");
  EXPECT_EQ(Bytes(optimizer, "float32 masters"), kOwn * 4);
  EXPECT_EQ(Bytes(optimizer, "optimiser moments"), kOwn * 8);
  EXPECT_EQ(Bytes(optimizer, "gradients of this rank's ranges"), kOwn * 4);
  EXPECT_EQ(Bytes(optimizer, "weights"), kAll * 2);
  EXPECT_GE(Bytes(optimizer, "gradients"), kAll * 4 - 1000);
  run.shard = "gradients";
  EXPECT_LE(Bytes(PhaseOf(PlanMemory(run), "train"), "gradients"), (16 + 48) * 4);
}

TEST(PlanMemory, PackedWeightsTakeFourBits) {
  RunSizes run = Tiny();
  run.step.model.hidden = 128;
  run.step.model.feed_forward = 256;
  run.step.model.adapter = {2, true};
  const ModelSizes& model = run.step.model;
  const int64_t projections = model.ProjectionParameters();
  const int64_t dense = model.Parameters() - projections;
  using Packing = AdapterSizes::Packing;
  for (const Packing packing : {Packing::kNf4, Packing::kNf4Double}) {
    run.step.model.adapter.packing = packing;
    const int64_t magnitudes =
        packing == Packing::kNf4 ? projections / 64 * 4 : projections / 64 + projections / 64 / 64;
    run.same_type_bytes = 0;
    const PhaseMemory copied = PhaseOf(PlanMemory(run), "train");
    EXPECT_EQ(Bytes(copied, "weights"), projections / 2 + magnitudes + dense * 4);
    EXPECT_EQ(Bytes(copied, "a weight, made dense"), 128 * 256 * 4);
    run.same_type_bytes = run.weight_file_bytes = model.Parameters() * 4;
    const PhaseMemory mapped = PhaseOf(PlanMemory(run), "train");
    EXPECT_EQ(Bytes(mapped, "weights"), projections / 2 + magnitudes);
    EXPECT_EQ(Bytes(mapped, "weights, mapped"), dense * 4) << "projections are let go of";
  }
}

TEST(PlanMemory, AllGradientsAreThereAtTheEndOfBackward) {
  RunSizes run = Tiny();
  run.step.model.layers = 1000;  // then they are more than the activations of a row
  run.first_batches.front().rows = run.first_batches.front().kept_rows = 1;
  run.first_batches.front().unit_rows = {1};
  EXPECT_GE(Bytes(PhaseOf(PlanMemory(run), "train"), "gradients"),
            run.step.model.Parameters() * 4 - 1000);
}

// Rank 2 beside gate and up: 2 x 2 x (2 + 4) = 24 values in place of 66.
TEST(PlanMemory, AnAdapterIsAllThatIsTrained) {
  RunSizes run = Tiny();
  run.step.model.adapter = {.rank = 2, .gate = true, .up = true};
  run.weight_file_bytes = run.same_type_bytes = 66 * 4;
  const std::vector<PhaseMemory> phases = PlanMemory(run);
  const PhaseMemory train = PhaseOf(phases, "train");
  EXPECT_EQ(Bytes(train, "adapter"), 24 * 4);
  EXPECT_EQ(Bytes(train, "optimiser moments"), 24 * 8);
  EXPECT_LE(Bytes(train, "gradients"), 24 * 4);
  EXPECT_EQ(Bytes(train, "weights"), 0) << "not copied";
  EXPECT_EQ(Bytes(train, "weights, mapped"), 66 * 4);
  EXPECT_EQ(Bytes(PhaseOf(phases, "export"), "merged weights"), 2 * 2 * 4 * 4);
}

TEST(PlanMemory, FrozenWeightsOfAnotherTypeAreCopied) {
  RunSizes run = Tiny();
  run.step.model.adapter = {.rank = 2, .q = true};
  run.step.compute.element_bytes = 2;
  run.weight_file_bytes = 66 * 4;
  const PhaseMemory train = PhaseOf(PlanMemory(run), "train");
  EXPECT_EQ(Bytes(train, "weights"), 66 * 2);
  EXPECT_EQ(Bytes(train, "weights, mapped"), 66 * 4);
  EXPECT_EQ(Bytes(train, "float32 masters"), 0) << "an adapter is in float32";
}

TEST(PlanMemory, PhasesThatAJobLacksAreLeftOut) {
  EXPECT_EQ(PlanMemory(Tiny()).size(), 2u) << "load and train";
  RunSizes run = Tiny();
  run.scores_here = true;
  run.scored_batches = run.evaluated_batches = run.first_batches;
  EXPECT_EQ(PlanMemory(run).size(), 4u);
}

TEST(PlanMemory, AnSaeKeepsItsDecoderUntilTheFirstStep) {
  RunSizes run = Tiny();
  run.step.saes = {{2, 16, 0, true}};
  run.scores_here = true;
  run.scored_batches = run.first_batches;
  const std::vector<PhaseMemory> phases = PlanMemory(run);
  EXPECT_EQ(Bytes(PhaseOf(phases, "train"), "SAE"), (2 + 2) * 16 * 4);
  EXPECT_EQ(Bytes(PhaseOf(phases, "reference"), "SAE"), ((2 + 2) * 16 + (16 + 1) * 2) * 4);
}

}  // namespace
}  // namespace fpo
