#include "ctl/jobs/sweep_plan.h"

#include "absl/strings/match.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "ctl/jobs/sweep_runs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::ElementsAre;

constexpr char kJob[] =
    "name: tiny\nmodel: {path: /m}\nsae: {path: /s.npz}\ndata: {train: [/d.jsonl]}\n"
    "method: {name: fpo}\noutput: /runs\n";

absl::StatusOr<SweepPlan> Plan(const std::vector<std::string>& grid, const char* runs = "") {
  std::vector<GridAxis> axes;
  if (*runs != '\0') axes.push_back(AxisOfRuns(ParseSweepRuns(runs, "runs.yaml").value()));
  for (const std::string& text : grid) axes.push_back(ParseGridAxis(text).value());
  return PlanSweep(axes, [](const JobChanges& changes) -> absl::StatusOr<JobConfig> {
    const absl::StatusOr<LoadedJob> job =
        LoadJob({kJob, "job.yaml", "/", changes.set, {}, {}, changes.run});
    if (!job.ok()) return job.status();
    return job->config;
  });
}

TEST(SweepPlanTest, AnAxisIsAKeyAndItsValues) {
  const GridAxis axis = ParseGridAxis("optimizer.betas=[0.9,0.99],[0.9,0.999]").value();
  EXPECT_EQ(axis.key, "optimizer.betas");
  EXPECT_THAT(axis.values, ElementsAre("[0.9,0.99]", "[0.9,0.999]"));
  for (const char* wrong : {"beta", "=1", "beta=", "beta=1,,2", "beta=1,"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseGridAxis(wrong).status())) << wrong;
  }
}

TEST(SweepPlanTest, EveryCombinationIsARunWithItsOwnNameAndFolder) {
  const SweepPlan plan = Plan({"method.beta=0.05,0.1", "seed=1,2"}).value();
  std::vector<std::string> names;
  for (const SweepRun& run : plan.runs) names.push_back(run.config.name);
  EXPECT_THAT(names, ElementsAre("tiny-beta-0-05-seed-1", "tiny-beta-0-05-seed-2",
                                 "tiny-beta-0-1-seed-1", "tiny-beta-0-1-seed-2"));
  EXPECT_EQ(plan.runs[2].config.method.beta, 0.1);
  EXPECT_EQ(plan.runs[1].config.seed, 2);
  EXPECT_EQ(plan.runs[2].config.output, "/runs/tiny-beta-0-1-seed-1");
  EXPECT_THAT(plan.runs[1].values, ElementsAre("0.05", "2"));
}

TEST(SweepPlanTest, RunsOnTheSameRecordsShareOneReferenceJob) {
  const SweepPlan plan = Plan({"method.beta=0.05,0.1"}).value();
  ASSERT_EQ(plan.references.size(), 1u);
  EXPECT_EQ(plan.references[0].kind, "reference");
  EXPECT_EQ(plan.references[0].name, "tiny-reference");
  EXPECT_EQ(plan.references[0].output, "/runs/tiny-reference");
  for (const SweepRun& run : plan.runs) EXPECT_EQ(run.reference, 0);
}

TEST(SweepPlanTest, ARunWithoutFeaturesUsesTheRecordsThatHaveThem) {
  const SweepPlan plan = Plan({"method.name=dpo,fpo,simpo"}).value();
  ASSERT_EQ(plan.references.size(), 1u);
  EXPECT_EQ(plan.references[0].method.name, "fpo") << "its records contain what dpo needs";
  EXPECT_EQ(plan.runs[0].reference, 0);
  EXPECT_EQ(plan.runs[1].reference, 0);
  EXPECT_EQ(plan.runs[2].reference, -1) << "simpo asks no reference";
}

TEST(SweepPlanTest, TheReferenceJobIsOfWhatTheRunsRead) {
  const auto reference = [](const std::vector<std::string>& grid) {
    return Plan(grid).value().references.at(0);
  };
  EXPECT_EQ(reference({"method.beta=1,2", "max_steps=4"}).max_steps, 4);
  EXPECT_EQ(reference({"method.beta=1,2", "evaluate.pairs=16"}).evaluate.pairs, 16);
  EXPECT_GT(reference({"method.beta=1,2"}).max_steps.value(), 1'000'000) << "whole runs";
  EXPECT_GT(reference({"max_steps=4", "seed=1,2"}).max_steps.value(), 1'000'000)
      << "each seed has pairs of its own";
  EXPECT_EQ(reference({"evaluate.pairs=16,32,8"}).evaluate.pairs, 32);
  EXPECT_FALSE(ReferenceJobOf(reference({"method.beta=1,2", "max_steps=4"})).max_steps.has_value())
      << "asked for by itself: all of the data";
}

TEST(SweepPlanTest, OtherRecordsAreAnotherReferenceJobOrNone) {
  EXPECT_EQ(Plan({"data.max_length=600,700"}).value().references.size(), 0u)
      << "each run alone computes what it needs";
  const SweepPlan two = Plan({"data.max_length=600,700", "seed=1,2"}).value();
  ASSERT_EQ(two.references.size(), 2u);
  EXPECT_EQ(two.references[1].name, "tiny-reference-2");
  EXPECT_NE(two.references[0].output, two.references[1].output);
}

TEST(SweepPlanTest, NamedRunsChangeSeveralKeysAndCombineWithAGrid) {
  const SweepPlan plan =
      Plan({"seed=1,2"}, "dpo: {method.name: dpo, method.beta: 0.1}\nfpo: {method.alpha: 2}\n")
          .value();
  std::vector<std::string> names;
  for (const SweepRun& run : plan.runs) names.push_back(run.config.name);
  EXPECT_THAT(names, ElementsAre("tiny-dpo-seed-1", "tiny-dpo-seed-2", "tiny-fpo-seed-1",
                                 "tiny-fpo-seed-2"));
  EXPECT_EQ(plan.runs[1].config.method.name, "dpo");
  EXPECT_EQ(plan.runs[1].config.method.beta, 0.1);
  EXPECT_EQ(plan.runs[1].config.seed, 2);
  EXPECT_EQ(plan.runs[2].config.method.alpha, 2);
  EXPECT_EQ(plan.runs[2].config.output, "/runs/tiny-fpo-seed-1");
  EXPECT_THAT(plan.runs[1].values, ElementsAre("dpo", "2"));
  ASSERT_EQ(plan.references.size(), 1u) << "one computation of the reference for all";
  EXPECT_EQ(plan.references[0].method.name, "fpo");
}

TEST(SweepPlanTest, LongOrEqualNamesGetANumber) {
  const std::string path = "/data/" + std::string(80, 'x');
  const SweepPlan plan = Plan({"model.path=" + path + "," + path + "y"}).value();
  EXPECT_LE(plan.runs[0].config.name.size(), 63u);
  EXPECT_NE(plan.runs[0].config.name, plan.runs[1].config.name);
  EXPECT_TRUE(ValidateJob(plan.runs[0].config).empty());
}

TEST(SweepPlanTest, WrongValuesAndTooManyRunsAreRefused) {
  EXPECT_TRUE(absl::StrContains(Plan({"method.beta=0.1,fast"}).status().message(), "beta"));
  std::string many = "seed=0";
  for (int i = 1; i < 300; ++i) many += "," + std::to_string(i);
  EXPECT_TRUE(absl::StrContains(Plan({many}).status().message(), "more than 256 runs"));
}

}  // namespace
}  // namespace fpo::ctl
