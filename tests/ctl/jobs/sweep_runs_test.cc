#include "ctl/jobs/sweep_runs.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string ProblemsIn(const char* text) {
  return std::string(ParseSweepRuns(text, "runs.yaml").status().message());
}

TEST(SweepRunsTest, ARunIsANameAndTheKeysThatItChanges) {
  const auto runs = ParseSweepRuns(
      "# two runs\ndpo: {method.name: dpo, method.beta: 0.1}\nas-it-is:\nwide:\n  sae: {path: "
      "/s}\n",
      "runs.yaml");
  ASSERT_TRUE(runs.ok()) << runs.status();
  ASSERT_EQ(runs->size(), 3u);
  EXPECT_EQ((*runs)[0].name, "dpo");
  EXPECT_EQ((*runs)[0].line, 2);
  ASSERT_EQ((*runs)[0].changes.size(), 2u);
  EXPECT_EQ((*runs)[0].changes[1].key, "method.beta");
  EXPECT_EQ((*runs)[0].changes[1].value.text, "0.1");
  EXPECT_TRUE((*runs)[1].changes.empty());
  EXPECT_EQ((*runs)[2].changes[0].value.kind, JobNode::Kind::kMap);
}

TEST(SweepRunsTest, WhatIsNoRunIsNamedWithItsLine) {
  EXPECT_THAT(ProblemsIn("dpo: {}\ndpo: {}\n"), HasSubstr("runs.yaml:2: dpo: given twice"));
  EXPECT_THAT(
      ProblemsIn("Dpo: {}\n\nb: [1]\n"),
      AllOf(HasSubstr("runs.yaml:1: Dpo: a run's name is of a-z"),
            HasSubstr("runs.yaml:3: b: must be the keys that the run changes, not a list")));
  EXPECT_THAT(ProblemsIn("a:\n  output: /x\n"),
              HasSubstr("runs.yaml:2: a.output: follows from the run's name"));
  EXPECT_THAT(ProblemsIn("# none\n"), HasSubstr("runs.yaml:1: names no run"));
  EXPECT_THAT(ProblemsIn("- a\n"), HasSubstr("runs.yaml:1: names no run"));
  EXPECT_THAT(ProblemsIn("a: {b: [}\n"), HasSubstr("runs.yaml:1: not YAML"));
}

TEST(SweepRunsTest, AKeyIsSetInOnePlace) {
  const auto runs = ParseSweepRuns("dpo: {method.name: dpo}\n", "runs.yaml").value();
  EXPECT_TRUE(CheckRunsAreAlone(runs, {"method.beta=1", "seed=1,2", "methods=1"}).ok());
  for (const char* other : {"method.name=fpo", "method={name: fpo}", "method.name.x=1"}) {
    EXPECT_THAT(std::string(CheckRunsAreAlone(runs, {other}).message()),
                HasSubstr("the run dpo (runs.yaml:1) sets method.name"))
        << other;
  }
}

TEST(SweepRunsTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ReadSweepRuns("/nowhere/runs.yaml").status()));
}

}  // namespace
}  // namespace fpo::ctl
