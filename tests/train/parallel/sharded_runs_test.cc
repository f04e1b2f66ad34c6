// Whole runs of 2 and 4 ranks under every sharding, beside the run of one rank, which exchanges
// nothing.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/job/job_file.h"
#include "tests/train/support/float64_run.h"
#include "tests/train/support/thread_ranks.h"
#include "train/loop/model_loader.h"
#include "train/parallel/step_traffic.h"

namespace fpo::train {
namespace {

struct RunCase {
  const char* name;
  const char* method;
  const char* optimizer = "adam";
  bool adapter = false;
  bool checkpointed = false;
};

class ShardedRuns : public ::testing::TestWithParam<RunCase> {
 protected:
  void SetUp() override {
    if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  }
  JobConfig Job(const std::string& shard) const {
    JobConfig job = tiny_.Job(GetParam().method);
    job.parallel.shard = shard;
    job.optimizer.name = GetParam().optimizer;
    job.optimizer.lr =
        GetParam().optimizer == std::string("rmsprop") ? 1e-4 : 1e-3;  // 10 lr at first
    job.optimizer.eps = 1e-3;  // no weight moves by more than its gradient is off
    job.optimizer.max_grad_norm = 0.05;
    job.batch.pairs = 6;
    job.batch.tokens_per_microbatch = 60;
    job.max_steps = 6;
    job.epochs = 6;
    job.evaluate.every_steps = 0;
    job.checkpoint.every_steps = 0;
    job.activation_checkpointing = GetParam().checkpointed;
    if (GetParam().adapter) {
      job.adapter.kind = "lora";
      job.adapter.rank = 2;
    }
    EXPECT_THAT(ValidateJob(job), ::testing::IsEmpty());
    return job;
  }
  static void ExpectSameBits(const Trajectory& a, const Trajectory& b, const std::string& what) {
    EXPECT_EQ(a.metrics, b.metrics) << what;
    for (const auto& [name, tensor] : a.weights) {
      EXPECT_TRUE(at::equal(tensor, b.weights.at(name))) << what << ": " << name;
    }
  }
  const TinyRun tiny_;
};

TEST_P(ShardedRuns, AreTheRunOfOneRank) {
  std::vector<EventMetrics> alone, steps;
  const Trajectory one = TrainInThreads(tiny_, Job("none"), 1, &alone);
  ASSERT_EQ(alone.size(), 6u);
  for (const int64_t world : {2, 4}) {
    for (const char* shard : {"none", "optimizer", "gradients"}) {
      const Trajectory run = TrainInThreads(tiny_, Job(shard), world, &steps);
      if (HasFatalFailure()) return;
      for (size_t i = 0; i < steps.size(); ++i) {
        EXPECT_NEAR(steps[i].at("loss"), alone[i].at("loss"), 1e-6) << shard << " on " << world;
      }
      EXPECT_LT(Between(run, one).weights, 1e-5) << shard << " on " << world;
      ExpectSameBits(TrainInThreads(tiny_, Job(shard), world), run, shard);
    }
  }
}

// Sums are the same, in the same order, whoever adds them.
TEST_P(ShardedRuns, AShardedOptimizerChangesNoBitOfTheWeights) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    JobConfig none = Job("none"), optimizer = Job("optimizer");
    none.model.dtype = optimizer.model.dtype = dtype;
    const Trajectory whole = TrainInThreads(tiny_, none, 2);
    const Trajectory sharded = TrainInThreads(tiny_, optimizer, 2);
    if (HasFatalFailure()) return;
    for (const auto& [name, tensor] : whole.weights) {
      EXPECT_TRUE(at::equal(tensor, sharded.weights.at(name))) << dtype << ": " << name;
    }
    // The norm is added in another order, in float64.
    EXPECT_LT(Between(sharded, whole).metrics, 1e-15) << dtype;
    JobConfig gradients = Job("gradients");
    gradients.model.dtype = dtype;
    ExpectSameBits(TrainInThreads(tiny_, gradients, 2), TrainInThreads(tiny_, gradients, 2), dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ShardedRuns,
                         ::testing::Values(RunCase{"sft", "sft"}, RunCase{"dpo", "dpo", "rmsprop"},
                                           RunCase{"fpo", "fpo"},
                                           RunCase{"fpo_recomputed", "fpo", "rmsprop", false, true},
                                           RunCase{"lora", "fpo", "adam", true}),
                         [](const auto& one) { return std::string(one.param.name); });

// At the end each rank moves its own masters towards where the run started.
TEST(ShardedBudget, ThePublishedWeightsAreThoseOfTheWholeUpdate) {
  if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  const TinyRun tiny;
  JobConfig job = tiny.Job("fpo");
  job.constraint.budget = 0.004;
  job.optimizer.lr = 3e-3;
  job.epochs = 1000;
  job.max_steps = 60;
  job.evaluate.every_steps = 0;
  job.checkpoint.every_steps = 1000;
  job.parallel.shard = "none";
  std::vector<EventMetrics> steps;
  const Trajectory whole = TrainInThreads(tiny, job, 2, &steps);
  job.parallel.shard = "optimizer";
  const Trajectory sharded = TrainInThreads(tiny, job, 2, &steps);
  if (::testing::Test::HasFatalFailure()) return;
  EXPECT_NE(steps.back().at("constraint/moved"), 1);
  EXPECT_LT(Between(sharded, whole).weights, 1e-6);
}

class ShardedTraffic : public ::testing::TestWithParam<const char*> {};

// Each pair a micro-batch: six pairs are three rounds of two ranks and two of four.
TEST_P(ShardedTraffic, IsWhatTheFormulaSays) {
  if (!HasRanks()) GTEST_SKIP() << "built without Gloo: install libgloo-dev";
  const TinyRun tiny;
  for (const char* dtype : {"float32", "bfloat16"}) {
    JobConfig job = tiny.Job("dpo");
    job.parallel.shard = GetParam();
    job.model.dtype = dtype;
    job.batch.pairs = 6;
    job.batch.tokens_per_microbatch = 1;
    job.epochs = 2;
    job.evaluate.every_steps = 0;
    const auto model = LoadModel({tiny.Path("model"), dtype});
    ASSERT_TRUE(model.ok()) << model.status();
    for (const int64_t world : {1, 2, 4}) {
      std::vector<EventMetrics> steps;
      TrainInThreads(tiny, job, world, &steps);
      ASSERT_EQ(steps.size(), 3u);
      const ShardPlan plan(model->model.Parameters(), world);
      TrafficInputs inputs;
      inputs.sharding = *ChooseSharding(GetParam(), world);
      inputs.weight_bytes = dtype == std::string("float32") ? 4 : 2;
      inputs.rounds = world == 2 ? 3 : 2;
      // The metrics and each rank's size of micro-batches; the norm and whether all fitted; rounds.
      inputs.summed_values = static_cast<int64_t>(BatchMetrics().Pack().size()) + world;
      if (inputs.sharding != Sharding::kNone) inputs.summed_values += 2;
      if (inputs.sharding == Sharding::kGradients) inputs.summed_values += world;
      const auto expected = TrafficOfStep(plan, inputs).Metrics();
      for (const EventMetrics& step : steps) {
        for (const auto& [name, bytes] : expected) {
          if (world == 1) {
            EXPECT_EQ(step.count(name), 0u) << name;
          } else {
            EXPECT_EQ(step.at(name), bytes) << name << ", " << world << " ranks, " << dtype;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shardings, ShardedTraffic,
                         ::testing::Values("none", "optimizer", "gradients"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace fpo::train
