// Runs with a section "constraint": a budget of the divergence, and sets of features.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"
#include "train/loop/model_loader.h"
#include "train/runs/run_record.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

double MeanOfLast(const std::vector<MetricLine>& lines, size_t steps, const char* name) {
  double sum = 0;
  for (size_t i = lines.size() - steps; i < lines.size(); ++i) sum += lines[i].at(name);
  return sum / static_cast<double>(steps);
}

std::string Messages(const RecordingSink& events, EventKind kind) {
  std::string all;
  for (const TrainEvent& event : events.Of(kind)) absl::StrAppend(&all, event.message, "\n");
  return all;
}
std::string Warnings(const RecordingSink& events) { return Messages(events, EventKind::kWarning); }
std::string Said(const RecordingSink& events) {
  return Warnings(events) + Messages(events, EventKind::kPhase);
}

class ConstraintTest : public ::testing::Test {
 protected:
  JobConfig Budgeted(const std::string& method, double budget) const {
    JobConfig job = tiny_.Job(method);
    job.constraint.budget = budget;
    job.optimizer.lr = 1e-3;
    job.epochs = 1000;
    job.max_steps = 600;
    job.evaluate.every_steps = 0;
    job.checkpoint.every_steps = 0;
    return job;
  }
  // A set of every feature: whatever moves breaks it.
  JobConfig Watched(double max_change) const {
    JobConfig job = tiny_.Job("fpo");
    job.data.eval = {tiny_.Path("eval.jsonl")};
    FeatureSetSection set;
    set.name = "all";
    for (int64_t i = 0; i < 32; ++i) set.features.push_back(i);
    set.max_change = max_change;
    job.constraint.sets = {set};
    return job;
  }
  const TinyRun tiny_;
};

// A few pairs that a model learns by heart: the loss, and with it what holds the policy away from
// the reference, falls to nothing while the controller works. It holds the divergence near the
// budget, not within the 2 % of the simulations in divergence_budget_test.cc.
TEST_F(ConstraintTest, TheKlIsHeldNearItsBudget) {
  for (const double budget : {0.03, 0.1}) {
    RecordingSink events;
    const std::string out = absl::StrCat("budget-", budget);
    const absl::Status status = TrainOnce(Budgeted("simpo_kl", budget), tiny_.Run(out), &events);
    ASSERT_TRUE(status.ok()) << status;
    const auto lines = ReadMetrics(tiny_.Path(out));
    EXPECT_EQ(lines[0].at("constraint/alpha"), 0) << "nothing has been seen yet";
    EXPECT_GT(lines.back().at("constraint/alpha"), 0);
    EXPECT_NEAR(MeanOfLast(lines, 200, "constraint/divergence") / budget, 1, 0.05) << budget;
    EXPECT_THAT(Warnings(events), ::testing::Not(HasSubstr("outweighs")));
  }
}

TEST_F(ConstraintTest, ABudgetOfFeaturesHoldsBackWhatWouldMove) {
  JobConfig free = Budgeted("fpo", 1e6), held = Budgeted("fpo", 0.003);
  free.optimizer.lr = held.optimizer.lr = 3e-3;
  ASSERT_TRUE(TrainOnce(free, tiny_.Run("free")).ok());
  ASSERT_TRUE(TrainOnce(held, tiny_.Run("held")).ok());
  const auto divergence = [&](const char* out) {
    return MeanOfLast(ReadMetrics(tiny_.Path(out)), 200, "constraint/divergence");
  };
  EXPECT_GT(divergence("free"), 0.006);
  EXPECT_LT(divergence("held"), 0.0045);
}

// Steps that are too large for their budget end far above it; the weights that are published are on
// it, and the checkpoint has what training left.
TEST_F(ConstraintTest, ThePublishedWeightsAreOnTheBudget) {
  JobConfig job = Budgeted("fpo", 0.004);
  job.data.eval = {tiny_.Path("eval.jsonl")};
  job.optimizer.lr = 3e-3;
  job.max_steps = 150;
  job.checkpoint.every_steps = 150;
  for (const char* dtype : {"float32", "bfloat16"}) {
    job.model.dtype = dtype;
    RecordingSink events;
    const std::string out = dtype;
    const absl::Status status = TrainOnce(job, tiny_.Run(out), &events);
    ASSERT_TRUE(status.ok()) << status;
    const auto result = ReadRunResult(tiny_.Path(out + "/run.json"));
    ASSERT_TRUE(result.ok());
    const auto& metrics = result->metrics;
    const double held =
        (metrics.at("eval_divergence/chosen") + metrics.at("eval_divergence/rejected")) / 2;
    EXPECT_NEAR(held / 0.004, 1, 0.02) << dtype << ": " << Said(events);
    EXPECT_NE(metrics.at("constraint/moved"), 1);
    EXPECT_THAT(Said(events), HasSubstr("; that of the held-out pairs "));

    const std::string model = Slurp(tiny_.Path(out + "/model/model.safetensors"));
    const auto published = MapWeights(tiny_.Path(out + "/model"));
    const auto trained = MapWeights(tiny_.Path(out + "/checkpoints/step-150"));
    const auto start = MapWeights(tiny_.Path("model"));
    ASSERT_TRUE(published.ok() && trained.ok() && start.ok()) << trained.status();
    double way = 0, whole = 0;
    for (const auto& [name, origin] : *start) {
      const at::Tensor left = trained->at(name).to(at::kDouble) - origin.to(at::kDouble);
      const at::Tensor kept = published->at(name).to(at::kDouble) - origin.to(at::kDouble);
      way += (left * kept).sum().item<double>();
      whole += left.square().sum().item<double>();
    }
    EXPECT_NEAR(way / whole, metrics.at("constraint/moved"), 1e-3) << dtype;

    // A run that died after its last step moves its weights as this one has.
    fs::remove_all(tiny_.Path(out + "/model"));
    fs::remove(tiny_.Path(out + "/run.json"));
    RunOptions again = tiny_.Run(out);
    again.resume = true;
    ASSERT_TRUE(TrainOnce(job, again).ok());
    EXPECT_EQ(Slurp(tiny_.Path(out + "/model/model.safetensors")), model) << dtype;
  }
}

// Without reaching it, the run is that of ln_dpo, and says where it stayed.
TEST_F(ConstraintTest, ABudgetThatIsNotReachedChangesNothing) {
  JobConfig job = Budgeted("fpo", 1e6), plain = tiny_.Job("ln_dpo");
  job.max_steps = 3;
  job.epochs = 1;
  job.optimizer.lr = plain.optimizer.lr;
  RecordingSink events;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("held"), &events).ok());
  ASSERT_TRUE(TrainOnce(plain, tiny_.Run("plain")).ok());
  EXPECT_EQ(Slurp(tiny_.Path("held/model/model.safetensors")),
            Slurp(tiny_.Path("plain/model/model.safetensors")));
  EXPECT_THAT(Messages(events, EventKind::kPhase),
              HasSubstr("the budget was not reached: the divergence stayed at"));
}

TEST_F(ConstraintTest, TheMultiplierResumesBitwise) {
  JobConfig job = Budgeted("fpo", 0.02);
  job.optimizer.lr = 3e-3;
  job.max_steps = 40;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("whole")).ok());
  JobConfig first = job;
  first.max_steps = 25;
  RunOptions parts = tiny_.Run("parts");
  parts.reference = tiny_.Path("whole/reference.fpr");
  ASSERT_TRUE(TrainOnce(first, parts).ok());
  parts.resume = true;
  const absl::Status status = TrainOnce(job, parts);
  ASSERT_TRUE(status.ok()) << status;
  const auto whole = ReadMetrics(tiny_.Path("whole")), resumed = ReadMetrics(tiny_.Path("parts"));
  ASSERT_EQ(whole.size(), 40u);
  ASSERT_EQ(resumed.size(), 40u);
  EXPECT_GT(whole[24].at("constraint/alpha"), 0) << "the multiplier is at work when it stops";
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const char* name : {"loss", "constraint/alpha", "constraint/violation"}) {
      EXPECT_EQ(whole[i].at(name), resumed[i].at(name)) << name << " of step " << i + 1;
    }
  }
  EXPECT_EQ(Slurp(tiny_.Path("whole/model/model.safetensors")),
            Slurp(tiny_.Path("parts/model/model.safetensors")));
  job.constraint.budget = 0.03;
  EXPECT_FALSE(TrainOnce(job, parts).ok()) << "another budget is another run";
}

TEST_F(ConstraintTest, MicroBatchesDoNotChangeTheMultiplier) {
  JobConfig job = Budgeted("fpo", 0.02);
  job.optimizer.lr = 3e-3;
  job.optimizer.eps = job.optimizer.lr;  // roundings stay roundings
  job.max_steps = 40;
  ASSERT_TRUE(TrainOnce(job, tiny_.Run("whole")).ok());
  job.batch.tokens_per_microbatch = 1;
  RunOptions cut = tiny_.Run("cut");
  cut.reference = tiny_.Path("whole/reference.fpr");
  ASSERT_TRUE(TrainOnce(job, cut).ok());
  const auto a = ReadMetrics(tiny_.Path("whole")), b = ReadMetrics(tiny_.Path("cut"));
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].at("constraint/alpha"), b[i].at("constraint/alpha"),
                1e-4 * a[i].at("constraint/alpha"));
  }
}

TEST_F(ConstraintTest, ABrokenSetIsSaidAndNothingIsPublished) {
  const JobConfig job = Watched(1e-3);
  RecordingSink events;
  const absl::Status status = TrainOnce(job, tiny_.Run("out"), &events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kContract);
  EXPECT_THAT(std::string(status.message()), HasSubstr("all has moved by"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("checkpoints/step-3 --out DIR"));
  EXPECT_THAT(Warnings(events), HasSubstr("a contract is broken at step 2: all"));
  EXPECT_FALSE(fs::exists(tiny_.Path("out/model")));
  EXPECT_TRUE(fs::exists(tiny_.Path("out/checkpoints/step-3/manifest.json")))
      << "though checkpoint.every_steps is 2";
  EXPECT_TRUE(fs::exists(tiny_.Path("out/report.html")));
  EXPECT_TRUE(events.Of(EventKind::kResult).empty());
  const auto evaluations = ReadMetrics(tiny_.Path("out"), true);
  ASSERT_EQ(evaluations.size(), 3u);
  EXPECT_LT(evaluations[0].at("eval_contract/all"), 1e-5) << "the policy is the reference";
  EXPECT_GT(evaluations[2].at("eval_contract/all"), 1e-3);
  EXPECT_EQ(evaluations[0].at("eval_contracts_broken"), 0);
  EXPECT_EQ(evaluations[2].at("eval_contracts_broken"), 1);

  // It may be published all the same, without another step.
  RunOptions again = tiny_.Run("out");
  again.resume = true;
  EXPECT_EQ(ExitCodeOf(TrainOnce(job, again)), ExitCode::kContract) << "still broken";
  JobConfig lenient = job;
  lenient.constraint.on_broken = "warn";
  RecordingSink published;
  const absl::Status kept = TrainOnce(lenient, again, &published);
  ASSERT_TRUE(kept.ok()) << kept;
  EXPECT_TRUE(published.Of(EventKind::kStep).empty());
  EXPECT_THAT(Warnings(published), HasSubstr("a contract is broken at step 3"));
  EXPECT_TRUE(fs::exists(tiny_.Path("out/model/model.safetensors")));
}

TEST_F(ConstraintTest, AKeptSetIsPublishedWithItsMetric) {
  RecordingSink events;
  const absl::Status status = TrainOnce(Watched(10), tiny_.Run("out"), &events);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(fs::exists(tiny_.Path("out/model")));
  ASSERT_EQ(events.Of(EventKind::kResult).size(), 1u);
  EXPECT_GT(events.Of(EventKind::kResult)[0].metrics.at("eval_contract/all"), 0);
  EXPECT_THAT(Warnings(events), ::testing::Not(HasSubstr("contract")));
}

TEST_F(ConstraintTest, ASetThatCannotBeMeasuredIsRefusedBeforeTheFirstStep) {
  JobConfig job = Watched(1);
  job.constraint.sets[0].features = {32};
  RecordingSink events;
  absl::Status status = TrainOnce(job, tiny_.Run("far"), &events);
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
  EXPECT_THAT(std::string(status.message()), HasSubstr("names feature 32; SAE 0 has 32"));
  EXPECT_TRUE(events.Of(EventKind::kStep).empty());
}

}  // namespace
}  // namespace fpo::train
