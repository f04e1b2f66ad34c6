#include "common/job/sections/evaluate_fields.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<JobConfig> Evaluated(const std::string& section, const std::string& more = "") {
  return ReadJobYaml(
      absl::StrCat("name: a\nmodel: {path: /m}\noutput: /o\nmethod: {name: simpo}\ndata: {train: "
                   "[/t.jsonl], eval: [/e.jsonl]}\nevaluate: {",
                   section, "}\n", more),
      "job.yaml");
}

std::string Complaint(const std::string& section, const std::string& more = "") {
  const auto job = Evaluated(section, more);
  if (!job.ok()) return std::string(job.status().message());
  std::string all;
  for (const JobProblem& problem : ValidateJob(*job)) {
    absl::StrAppend(&all, problem.key, " ", problem.message, "\n");
  }
  return all;
}

TEST(EvaluateFields, AreReadAndWritten) {
  const auto job = Evaluated(
      "every_steps: 50, patience: 3, min_improvement: 0.01, metric: entropy, direction: higher");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->evaluate.patience, 3);
  EXPECT_EQ(job->evaluate.min_improvement, 0.01);
  const auto again = ReadJobJson(WriteJobJson(*job));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(WriteJobJson(*again), WriteJobJson(*job));
  EXPECT_EQ(again->evaluate.metric, "entropy");
  EXPECT_EQ(again->evaluate.direction, "higher");
}

// A worker or coordinator that lacks the keys reads every job that does not use them.
TEST(EvaluateFields, WhatIsNotSetIsNotWritten) {
  const auto job = Evaluated("every_steps: 50");
  ASSERT_TRUE(job.ok()) << job.status();
  for (const std::string& text : {WriteJobJson(*job), WriteJobYaml(*job)}) {
    for (const char* key : {"patience", "min_improvement", "metric\"", "metric:", "direction"}) {
      EXPECT_THAT(text, Not(HasSubstr(key)));
    }
  }
}

TEST(EvaluateFields, TheMetricSaysWhetherLowerIsBetter) {
  const auto lower = [](const std::string& metric) {
    JobConfig job;
    job.evaluate.metric = metric;
    return LowerDecides(job);
  };
  for (const char* metric : {"loss", "eval_loss", "nll_loss", "divergence/chosen", "kl/margin",
                             "kl/chosen_per_token", "contract/refusal"}) {
    EXPECT_EQ(lower(metric), true) << metric;
  }
  for (const char* metric : {"rewards/accuracies", "rewards/margins", "logps/accuracies"}) {
    EXPECT_EQ(lower(metric), false) << metric;
  }
  EXPECT_EQ(lower("entropy"), std::nullopt);
  JobConfig job;
  job.evaluate.metric = "eval_rewards/margins";
  EXPECT_EQ(DecidingMetric(job), "eval_rewards/margins");
  job.evaluate.metric = "rewards/margins";
  EXPECT_EQ(DecidingMetric(job), "eval_rewards/margins");
  job.evaluate.direction = "lower";
  EXPECT_EQ(LowerDecides(job), true);
}

TEST(EvaluateFields, WhatCannotBeIsRefusedWithTheWayOut) {
  EXPECT_EQ(Complaint("patience: 2"), "");
  EXPECT_THAT(Complaint("patience: 0"), HasSubstr("0 is out of range; allowed: from 1"));
  EXPECT_THAT(Complaint("patience: 2, every_steps: 0"), HasSubstr("set it, e.g. to 200"));
  EXPECT_THAT(Complaint("patience: 2", "kind: reference\n"), HasSubstr("trains nothing"));
  EXPECT_THAT(Complaint("min_improvement: 0.1"),
              HasSubstr("is of evaluate.patience, which is not set"));
  EXPECT_THAT(Complaint("metric: entropy"), HasSubstr("evaluate.direction: is missing"));
  EXPECT_THAT(Complaint("metric: ''"), HasSubstr("evaluate.metric: is empty"));
  auto job = Evaluated("patience: 2");
  ASSERT_TRUE(job.ok());
  job->data.eval.clear();
  ASSERT_EQ(EvaluateProblems(*job).size(), 1u);
  EXPECT_THAT(EvaluateProblems(*job)[0].message, HasSubstr("name held-out pairs there"));
}

TEST(EvaluateFields, ABestThatIsNotKeptIsSaid) {
  const auto warning = [](const std::string& section, const std::string& more = "") {
    const auto job = Evaluated(section, more);
    return job.ok() ? EarlyStopWarning(*job) : std::string(job.status().message());
  };
  EXPECT_EQ(warning("every_steps: 30", "checkpoint: {every_steps: 20}"), "");
  EXPECT_EQ(warning("patience: 2, every_steps: 40", "checkpoint: {every_steps: 20}"), "");
  EXPECT_THAT(warning("patience: 2, every_steps: 30", "checkpoint: {every_steps: 20}"),
              HasSubstr("evaluate.every_steps (30) be a multiple of checkpoint.every_steps (20)"));
  EXPECT_THAT(warning("patience: 2", "checkpoint: {keep_best: 0}"), HasSubstr("keep_best: 0"));
}

absl::StatusOr<JobConfig> WithSets(const std::string& eval, const std::string& more = "") {
  return ReadJobYaml(absl::StrCat("name: a\nmodel: {path: /m}\noutput: /o\nmethod: {name: simpo}\n",
                                  "data: {train: [/t.jsonl], eval: ", eval, "}\n", more),
                     "job.yaml");
}

TEST(EvaluateFields, SeveralSetsKeepTheirOrder) {
  const auto job = WithSets("{hard: /h.jsonl, easy: [/e1.jsonl, /e2.jsonl], b: /b.jsonl}");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->data.eval_name, "hard");
  EXPECT_THAT(job->data.eval, ::testing::ElementsAre("/h.jsonl"));
  EXPECT_THAT(EvalSetNames(*job), ::testing::ElementsAre("hard", "easy", "b"));
  EXPECT_THAT(job->data.more_eval[0].files, ::testing::ElementsAre("/e1.jsonl", "/e2.jsonl"));
  // Programs that know one set read a list there, and refuse a mapping.
  EXPECT_THAT(WriteJobJson(*job),
              HasSubstr("\"eval\":{\"hard\":[\"/h.jsonl\"],\"easy\":[\"/e1.jsonl\", "));
  for (const auto& again :
       {ReadJobJson(WriteJobJson(*job)), ReadJobYaml(WriteJobYaml(*job), "job.yaml")}) {
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(WriteJobJson(*again), WriteJobJson(*job));
  }
  const auto one = WithSets("/h.jsonl");
  ASSERT_TRUE(one.ok());
  EXPECT_TRUE(EvalSetNames(*one).empty());
  EXPECT_THAT(WriteJobJson(*one), HasSubstr("\"eval\":[\"/h.jsonl\"]"));
  EXPECT_FALSE(RunDifferences(*job, *one).empty());
}

TEST(EvaluateFields, AMetricOfASetIsNamedByIt) {
  const auto job = WithSets("{hard: /h.jsonl, easy: /e.jsonl}",
                            "evaluate: {metric: easy/rewards/accuracies, patience: 2}\n");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(DecidingMetric(*job), "eval_easy_rewards/accuracies");
  EXPECT_EQ(LowerDecides(*job), false);
}

TEST(EvaluateFields, NamesThatWouldLookLikeMetricsAreRefused) {
  for (const char* name : {"nll", "a_nll", "rewards", "kl", "Hard", "a.b", "'a/b'", "''"}) {
    const auto job = WithSets(absl::StrCat("{", name, ": /h.jsonl}"));
    EXPECT_THAT(std::string(job.status().message()), HasSubstr("name")) << name;
  }
  EXPECT_THAT(std::string(WithSets("{a: []}").status().message()), HasSubstr("names no file"));
  EXPECT_THAT(std::string(WithSets("{}").status().message()), HasSubstr("names no set"));
  EXPECT_THAT(std::string(WithSets("{a: {b: /c}}").status().message()), HasSubstr("data.eval.a"));
  std::string many;
  for (size_t i = 0; i <= kEvalSetsMax; ++i) absl::StrAppend(&many, "s", i, ": /f.jsonl, ");
  EXPECT_THAT(std::string(WithSets("{" + many + "}").status().message()), HasSubstr("at most 16"));
}

// Scores of checkpoints are compared within a run: all must be of one metric.
TEST(EvaluateFields, ARunKeepsItsMetricAndMayChangeItsPatience) {
  const auto first = Evaluated("patience: 2"),
             patient = Evaluated("patience: 9, metric: eval_loss"),
             other = Evaluated("metric: rewards/accuracies");
  ASSERT_TRUE(first.ok() && patient.ok() && other.ok());
  EXPECT_TRUE(RunDifferences(*first, *patient).empty());
  ASSERT_FALSE(RunDifferences(*first, *other).empty());
  EXPECT_EQ(RunDifferences(*first, *other)[0].key, "evaluate.metric");
}

}  // namespace
}  // namespace fpo
