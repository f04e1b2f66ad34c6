// Runs of the methods that job files put together: method.loss, method.constraint,
// method.sft_weight, and those whose loss reads more of a batch than its number of pairs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "tests/train/support/float64_run.h"
#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

struct MethodCase {
  const char* name;
  const char* method;
  const char* loss = "sigmoid";
  const char* constraint = "";
  double sft_weight = 0;
  double smoothing = 0;
};

const MethodCase kCases[] = {
    {"dpo_hinge", "dpo", "hinge"},
    {"ln_dpo_ipo", "ln_dpo", "ipo"},
    {"dpo_robust", "dpo", "robust", "", 0, 0.1},
    {"dpo_features", "dpo", "sigmoid", "features"},
    {"simpo_features", "simpo", "sigmoid", "features"},
    {"fpo_ipo", "fpo", "ipo"},
    {"dpo_hinge_features_sft", "dpo", "hinge", "features", 0.5},
    {"tdpo2_sft", "tdpo2", "sigmoid", "", 0.5},
    {"orpo", "orpo"},
    {"kto", "kto"},
};

TinyRun::Options DataOf(const MethodCase& c) {
  TinyRun::Options options;
  options.labelled = std::string(c.method) == "kto";
  return options;
}

JobConfig JobOf(const TinyRun& tiny, const MethodCase& c) {
  JobConfig job = tiny.Job(c.method);
  job.method.loss = c.loss;
  if (*c.constraint != '\0') job.method.constraint = c.constraint;
  job.method.sft_weight = c.sft_weight;
  job.method.label_smoothing = c.smoothing;
  job.reference.source = DefaultReferenceSource(job.method);
  if (ComparesFeatures(job.method)) job.sae = {SaeSection{tiny.Path("sae/params.npz"), {}, ""}};
  EXPECT_THAT(ValidateJob(job), ::testing::IsEmpty()) << c.name;
  return job;
}

class RunTrainingMethods : public ::testing::TestWithParam<MethodCase> {
 protected:
  const TinyRun tiny_{DataOf(GetParam())};
};

TEST_P(RunTrainingMethods, TheLossFalls) {
  JobConfig job = JobOf(tiny_, GetParam());
  job.max_steps = 12;
  job.epochs = 4;
  // Its target is a quarter of a nat, which a larger step goes past.
  if (job.method.loss == "ipo") job.optimizer.lr = 3e-4;
  const absl::Status status = TrainOnce(job, tiny_.Run("out"));
  ASSERT_TRUE(status.ok()) << status;
  const auto lines = ReadMetrics(tiny_.Path("out"));
  EXPECT_LT(lines.back().at("loss"), 0.9 * lines.front().at("loss"));
  const bool features = ComparesFeatures(job.method);
  EXPECT_EQ(lines[0].count("divergence/rejected"),
            features || std::string(GetParam().method) == "tdpo2");
  EXPECT_EQ(fs::exists(tiny_.Path("out/reference.fpr")), job.reference.source == "cached");
}

// Also the SFT term's mean over the tokens of all ranks.
TEST_P(RunTrainingMethods, MicroBatchesAndRanksDoNotChangeTheSteps) {
  JobConfig job = JobOf(tiny_, GetParam());
  job.batch.pairs = 12;
  job.epochs = job.max_steps.value();
  job.optimizer.eps = job.optimizer.lr;  // no weight moves by more than its gradient is off
  const Trajectory whole = TrainInFloat64(tiny_, job);
  if (HasFatalFailure()) return;
  ASSERT_FALSE(whole.metrics.empty());
  job.batch.tokens_per_microbatch = 1;
  for (const int64_t world : {1, 2}) {
    const Distance distance = Between(TrainInFloat64(tiny_, job, world), whole);
    EXPECT_LT(distance.metrics, 1e-11) << world;
    EXPECT_LT(distance.weights, 1e-11) << world;
  }
}

TEST_P(RunTrainingMethods, ResumeIsBitwise) {
  JobConfig job = JobOf(tiny_, GetParam());
  job.max_steps = 4;
  job.epochs = 2;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("whole")).ok());
  JobConfig first = job;
  first.max_steps = 2;
  RunOptions parts = tiny_.Run("parts");
  if (job.reference.source == "cached") parts.reference = tiny_.Path("whole/reference.fpr");
  ASSERT_TRUE(TrainOnce(first, parts).ok());
  parts.resume = true;
  fs::remove_all(tiny_.Path("parts/model"));
  fs::remove(tiny_.Path("parts/run.json"));
  const absl::Status status = TrainOnce(job, parts);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Slurp(tiny_.Path("whole/model/model.safetensors")),
            Slurp(tiny_.Path("parts/model/model.safetensors")));
}

// The metric of an evaluation is the mean of its pairs' losses, and of the SFT term over tokens.
TEST_P(RunTrainingMethods, EvaluationsAreKeptPairByPair) {
  const JobConfig job = JobOf(tiny_, GetParam());
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("out")).ok());
  std::ifstream in(tiny_.Path("out/evaluations/step-3.jsonl"));
  double loss = 0, logp = 0, tokens = 0, pairs = 0, margin = 0;
  for (std::string line; std::getline(in, line); ++pairs) {
    const auto pair = nlohmann::json::parse(line);
    loss += pair.at("loss").get<double>();
    logp += pair.at("logps/chosen").get<double>();
    tokens += pair.at("tokens/chosen").get<double>();
    if (pair.contains("rewards/margins")) margin += pair.at("rewards/margins").get<double>();
  }
  ASSERT_EQ(pairs, 5);
  const MetricLine metrics = ReadMetrics(tiny_.Path("out"), true).back();
  const double weight = std::string(GetParam().method) == "orpo" ? 1 : GetParam().sft_weight;
  EXPECT_NEAR(metrics.at("eval_loss"), loss / pairs - weight * logp / tokens, 1e-9);
  if (std::string(GetParam().method) != "kto") {
    EXPECT_NEAR(metrics.at("eval_rewards/margins"), margin / pairs, 1e-9);
  }
  EXPECT_EQ(metrics.count("eval_nll_loss"), weight > 0 ? 1u : 0u);
}

INSTANTIATE_TEST_SUITE_P(Cases, RunTrainingMethods, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

// With the policy equal to the reference u is 0.
TEST(RunTrainingOfMethods, TheFirstStepIsKnown) {
  const TinyRun tiny;
  const auto first = [&](const MethodCase& c) {
    JobConfig job = JobOf(tiny, c);
    job.max_steps = 1;
    EXPECT_TRUE(TrainOnce(job, tiny.Run(c.name)).ok());
    return ReadMetrics(tiny.Path(c.name)).front();
  };
  const double ln2 = std::log(2.0);
  EXPECT_NEAR(first({"hinge", "dpo", "hinge"}).at("loss"), 1, 1e-4);
  EXPECT_NEAR(first({"ipo", "ln_dpo", "ipo"}).at("loss"), 1 / (4.0 * 2 * 2), 1e-5);
  EXPECT_NEAR(first({"robust", "dpo", "robust", "", 0, 0.1}).at("loss"), ln2, 1e-4);
  EXPECT_NEAR(first({"features", "dpo", "sigmoid", "features"}).at("loss"), ln2, 1e-4);
  const MetricLine sft = first({"sft", "dpo", "sigmoid", "", 0.5});
  EXPECT_NEAR(sft.at("loss"), ln2 + 0.5 * sft.at("nll_loss"), 1e-4);
  EXPECT_GT(sft.at("nll_loss"), 0.5);
}

// The estimate is of the whole batch before its step, and 0 while the policy is the reference.
TEST(RunTrainingOfMethods, KtoMeasuresItsKl) {
  const TinyRun tiny(DataOf({"", "kto"}));
  JobConfig job = tiny.Job("kto");
  job.max_steps = 9;
  job.epochs = 3;
  ASSERT_TRUE(TrainOnce(job, tiny.Run("out")).ok());
  const auto lines = ReadMetrics(tiny.Path("out"));
  EXPECT_NEAR(lines.front().at("loss"), 0.5, 1e-4);
  EXPECT_NEAR(lines.front().at("kl"), 0, 1e-4);
  double largest = 0;
  for (const MetricLine& line : lines) largest = std::max(largest, line.at("kl"));
  EXPECT_GT(largest, 1e-3);
  EXPECT_EQ(ReadMetrics(tiny.Path("out"), true).back().count("eval_rewards/margins"), 1u);
  const auto pair = nlohmann::json::parse(
      Slurp(tiny.Path("out/evaluations/step-9.jsonl"))
          .substr(0, Slurp(tiny.Path("out/evaluations/step-9.jsonl")).find('\n')));
  EXPECT_EQ(pair.at("label"), 1);
  EXPECT_NEAR(
      pair.at("reward").get<double>(),
      2 * (pair.at("logps/chosen").get<double>() - pair.at("reference_logps/chosen").get<double>()),
      1e-9);
}

TEST(RunTrainingOfMethods, LnDpoWithFeaturesIsFpo) {
  const TinyRun tiny;
  ASSERT_TRUE(TrainOnce(JobOf(tiny, {"", "ln_dpo", "sigmoid", "features"}), tiny.Run("ln")).ok());
  ASSERT_TRUE(TrainOnce(tiny.Job("fpo"), tiny.Run("fpo")).ok());
  EXPECT_EQ(Slurp(tiny.Path("ln/model/model.safetensors")),
            Slurp(tiny.Path("fpo/model/model.safetensors")));
}

}  // namespace
}  // namespace fpo::train
