#include "common/job/job_yaml.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(JobYaml, KeepsLinesAndQuotes) {
  std::vector<JobProblem> problems;
  const auto root = ParseJobYaml("a: 1\nb:\n  c: \"2\"\n", &problems);
  ASSERT_TRUE(root.ok());
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(root->Find("a")->line, 1);
  EXPECT_EQ(root->Find("b")->Find("c")->line, 3);
  EXPECT_TRUE(root->Find("b")->Find("c")->quoted);
}

TEST(JobYaml, ReportsDuplicatesTagsAndBrokenText) {
  std::vector<JobProblem> problems;
  ASSERT_TRUE(ParseJobYaml("a: 1\na: 2\nb: !!python/x y\n", &problems).ok());
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].line, 2);
  EXPECT_EQ(problems[1].line, 3);
  problems.clear();
  (void)ParseJobYaml("a: [1\nb: 2", &problems);
  EXPECT_FALSE(problems.empty());
}

TEST(JobYaml, AliasesAreRefused) {
  // Nine lines of aliases would stand for a billion nodes.
  std::vector<JobProblem> problems;
  const auto root = ParseJobYaml("a: &x [1, 2]\nb: *x\n", &problems);
  EXPECT_TRUE(!root.ok() || !problems.empty());
}

}  // namespace
}  // namespace fpo
