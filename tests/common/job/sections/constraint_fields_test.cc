#include "common/job/sections/constraint_fields.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "common/text/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kConstrainedJob[] =
    "name: a\nmodel: {path: /m}\noutput: /o\nsae: {path: /s}\n"
    "data: {train: [/d], eval: [/e]}\n";

absl::StatusOr<JobConfig> Read(const std::string& more) {
  return ReadJobYaml(absl::StrCat(kConstrainedJob, more), "job.yaml");
}

std::string Problem(const std::string& more) {
  const auto job = Read(more);
  EXPECT_FALSE(job.ok()) << more;
  return std::string(job.status().message());
}

std::string Sets(const std::string& text) { return absl::StrCat("constraint: {sets: ", text, "}"); }

TEST(ConstraintFields, AJobIsReadAndWritten) {
  const auto job = Read(
      "constraint:\n"
      "  budget: 0.05\n"
      "  on_broken: warn\n"
      "  sets:\n"
      "    - {name: refusal, features: [12, 4711], max_change: 0.1}\n"
      "    - {name: tone-2, features: [0], max_change: 2, unit: absolute, side: rejected, sae: "
      "0}\n");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->constraint.budget, 0.05);
  EXPECT_EQ(job->constraint.on_broken, "warn");
  ASSERT_EQ(job->constraint.sets.size(), 2u);
  EXPECT_THAT(job->constraint.sets[0].features, ElementsAre(12, 4711));
  EXPECT_EQ(job->constraint.sets[0].side, "both");
  EXPECT_EQ(job->constraint.sets[1].unit, "absolute");
  EXPECT_EQ(job->constraint.sets[1].max_change, 2);
  for (const auto& again :
       {ReadJobJson(WriteJobJson(*job)), ReadJobYaml(WriteJobYaml(*job), "job.yaml")}) {
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(WriteJobJson(*again), WriteJobJson(*job));
    EXPECT_EQ(again->constraint.sets[1].side, "rejected");
  }
}

TEST(ConstraintFields, NothingIsHeldByDefault) {
  for (const char* empty : {"", "constraint:\n", "constraint: {budget: null, sets: null}\n",
                            "constraint: {sets: []}\n"}) {
    const auto job = Read(empty);
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_FALSE(job->constraint.budget.has_value()) << empty;
    EXPECT_TRUE(job->constraint.sets.empty()) << empty;
  }
}

TEST(ConstraintFields, EveryMistakeIsNamed) {
  struct Wrong {
    std::string text;
    const char* says;
  };
  const Wrong wrongs[] = {
      {"constraint: {budget: 0}", "constraint.budget: 0 is out of range"},
      {"constraint: {budget: -1}", "constraint.budget: -1 is out of range"},
      {"constraint: {budget: small}", "constraint.budget: must be a number"},
      {"constraint: {budget: .nan}", "constraint.budget: must be a number"},
      {"constraint: {budgt: 1}", "did you mean \"budget\"?"},
      {"constraint: 0.05", "constraint: must be a mapping"},
      {"constraint: {on_broken: fail}", "is not one of refuse, warn"},
      {Sets("refusal"), "constraint.sets: must be a list of mappings"},
      {Sets("{name: a}"), "constraint.sets: must be a list of mappings"},
      {Sets("[refusal]"), "constraint.sets.0: must be a mapping with name, features, max_change"},
      {Sets("[{features: [1], max_change: 1}]"), "constraint.sets.0.name: is missing"},
      {Sets("[{name: A b, features: [1], max_change: 1}]"), "\"A b\" must be 1 to 63 of"},
      {Sets("[{name: a, max_change: 1}]"), "constraint.sets.0.features: is missing"},
      {Sets("[{name: a, features: [1], features_file: f.txt, max_change: 1}]"),
       "features_file are both given"},
      {Sets("[{name: a, features: 7, max_change: 1}]"), "must be a list of whole numbers"},
      {Sets("[{name: a, features: [1.5], max_change: 1}]"), "must be a whole number"},
      {Sets("[{name: a, features: [-1], max_change: 1}]"), "-1 is out of range"},
      {Sets("[{name: a, features: [99999999999], max_change: 1}]"), "is out of range"},
      {Sets("[{name: a, features: [3, 4, 3], max_change: 1}]"), "3 is there twice"},
      {Sets("[{name: a, features: [1]}]"), "constraint.sets.0.max_change: is missing"},
      {Sets("[{name: a, features: [1], max_change: -0.1}]"), "-0.1 is out of range"},
      {Sets("[{name: a, features: [1], max_change: 1, side: left}]"), "both, chosen, rejected"},
      {Sets("[{name: a, features: [1], max_change: 1, unit: percent}]"), "relative, absolute"},
      {Sets("[{name: a, features: [1], max_change: 1, sae: 1}]"), "1 is not an SAE of the job"},
      {Sets("[{name: a, features: [1], max: 1}]"), "constraint.sets.0.max: unknown key"},
      {Sets("[{name: a, features: [1], max_change: 1}, {name: a, features: [2], max_change: 1}]"),
       "constraint.sets.1.name: \"a\" is another set's name"},
  };
  for (const Wrong& wrong : wrongs) {
    EXPECT_THAT(Problem(wrong.text + "\n"), HasSubstr(wrong.says)) << wrong.text;
  }
}

TEST(ConstraintFields, SetsNeedWhatTheyAreMeasuredWith) {
  const std::string set = Sets("[{name: a, features: [1], max_change: 1}]") + "\n";
  EXPECT_TRUE(Read(set).ok());
  EXPECT_THAT(Problem(set + "method: {name: dpo}\n"),
              HasSubstr("which fpo and method.constraint: features compare"));
  EXPECT_THAT(Problem(set + "reference: {features: top, features_top: 50}\n"
                            "method: {feature_selection: reference}\n"),
              HasSubstr("top records lack"));
  const auto blind = ReadJobYaml(
      "name: a\nmodel: {path: /m}\noutput: /o\nsae: {path: /s}\ndata: {train: [/d]}\n" + set, "j");
  EXPECT_THAT(std::string(blind.status().message()), HasSubstr("data.eval is missing"));
}

TEST(ConstraintFields, ABudgetNeedsAnAlphaToAdapt) {
  for (const char* method : {"dpo", "ln_dpo", "simpo", "tdpo1", "sft"}) {
    EXPECT_THAT(Problem(absl::StrCat("constraint: {budget: 1}\nmethod: {name: ", method, "}\n")),
                HasSubstr("has no alpha to adapt"))
        << method;
  }
  for (const char* method : {"tdpo2", "simpo_kl", "fpo"}) {
    const auto job = Read(absl::StrCat("constraint: {budget: 1}\nmethod: {name: ", method, "}\n"));
    EXPECT_TRUE(job.ok()) << job.status();
  }
}

// The budget decides every step; sets only look.
TEST(ConstraintFields, TheBudgetIsTheRunsAndTheSetsAreNot) {
  JobConfig first, second;
  second.constraint.on_broken = "warn";
  second.constraint.sets.resize(1);
  EXPECT_TRUE(RunDifferences(first, second).empty());
  second.constraint.budget = 0.5;
  const auto differences = RunDifferences(first, second);
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].key, "constraint.budget");
  EXPECT_EQ(differences[0].second, "0.5");
}

TEST(ConstraintFields, TheSchemaKnowsThem) {
  const auto schema = ParseJson(JobSchema());
  ASSERT_TRUE(schema.ok()) << schema.status();
  const nlohmann::json& keys = schema->at("properties").at("constraint").at("properties");
  EXPECT_THAT(keys.at("budget").at("type"), ElementsAre("number", "null"));
  const nlohmann::json& set = keys.at("sets").at("items").at("properties");
  EXPECT_EQ(set.at("features").at("items").at("type"), "integer");
  EXPECT_THAT(set.at("side").at("enum"), ElementsAre("both", "chosen", "rejected"));
}

TEST(ConstraintFields, AGivenAlphaBesideABudgetIsSaidToBeUnused) {
  const auto notes = [](const std::string& method) {
    const auto job =
        LoadJob({absl::StrCat(kConstrainedJob, "constraint: {budget: 1}\nmethod: {", method, "}\n"),
                 "job.yaml",
                 "/",
                 {}});
    EXPECT_TRUE(job.ok()) << job.status();
    return job->notes;
  };
  EXPECT_THAT(notes("name: fpo, alpha: 0.5, stop_gradient: true"),
              ElementsAre(HasSubstr("method.alpha is set, and constraint.budget does not use it"),
                          HasSubstr("method.stop_gradient is set")));
  EXPECT_THAT(notes("name: fpo, beta: 2"), ElementsAre());
}

}  // namespace
}  // namespace fpo
