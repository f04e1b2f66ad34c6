#include "train/plan/plan_changes.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

// A job of 1,000 bytes, less by what each setting saves.
std::vector<PhaseMemory> Made(const JobConfig& job) {
  int64_t bytes = 1000;
  if (!job.checkpoint.background) bytes -= 100;
  if (job.reference.source == "cached") bytes -= 200;
  if (job.activation_checkpointing) bytes -= 300;
  bytes -= 30 * job.activation_checkpointing_layers.value_or(0);
  if (job.batch.tokens_per_microbatch < 8192) bytes -= 50;
  if (job.adapter.on()) bytes -= 400;
  if (job.adapter.kind == "qlora") bytes -= 100;
  if (job.parallel.shard == "gradients") bytes -= 150;
  return {{"train", {{"all", bytes, false}}}};
}

TEST(PlanChanges, AreInOrderOfLeastHarm) {
  JobConfig job;
  job.method.name = "dpo";
  job.reference.source = "online";
  std::vector<std::string> settings;
  for (const PlanChange& change : ChangesFor(job, {false, 8}, Made))
    settings.push_back(change.setting);
  EXPECT_EQ(settings,
            (std::vector<std::string>{
                "checkpoint.background=false", "reference.source=cached",
                "batch.tokens_per_microbatch=4096", "activation_checkpointing_layers=2",
                "activation_checkpointing_layers=4", "activation_checkpointing_layers=6",
                "activation_checkpointing=true", "adapter.kind=lora", "adapter.kind=qlora"}))
      << "what lowers nothing is left out, halves further down too";
}

TEST(PlanChanges, OfSeveralRanksShareTheirGradients) {
  const auto proposes = [](int64_t slots, const std::string& shard) {
    JobConfig job;
    job.method.name = "simpo";
    job.resources.slots = slots;
    job.parallel.shard = shard;
    for (const PlanChange& change : ChangesFor(job, {false, 8}, Made)) {
      if (change.setting == "parallel.shard=gradients") return true;
    }
    return false;
  };
  EXPECT_TRUE(proposes(4, "auto"));
  EXPECT_FALSE(proposes(4, "gradients"));
  EXPECT_FALSE(proposes(1, "auto"));
}

TEST(PlanChanges, StateWhatTheJobWouldThenNeed) {
  JobConfig job;
  job.method.name = "simpo";
  const std::vector<PlanChange> changes = ChangesFor(job, {false, 8}, Made);
  ASSERT_FALSE(changes.empty());
  EXPECT_EQ(changes.front().host_bytes, 900);
}

TEST(PlanChanges, AMethodThatNeedsTheModelKeepsIt) {
  JobConfig job;
  job.method.name = "tdpo2";
  job.reference.source = "online";
  for (const PlanChange& change : ChangesFor(job, {false, 8}, Made)) {
    EXPECT_NE(change.setting, "reference.source=cached");
  }
}

}  // namespace
}  // namespace fpo::train
