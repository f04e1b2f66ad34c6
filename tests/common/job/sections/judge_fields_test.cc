#include "common/job/sections/judge_fields.h"

#include "absl/strings/str_cat.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<JobConfig> JudgeJob(const std::string& section) {
  return ReadJobYaml(
      absl::StrCat("name: a\nkind: judge\noutput: /o\njudge: {url: 'https://host/v1', model: m, ",
                   "outputs: /a.json, baseline: /b.json", section, "}\n"),
      "job.yaml");
}

TEST(JudgeFields, AJobIsReadAndWritten) {
  const auto job = JudgeJob(", order: model_first, retries: 3, max_pairs: 9, price_out: 0.5");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->judge.order, "model_first");
  EXPECT_EQ(job->judge.retries, 3);
  EXPECT_EQ(job->judge.max_pairs, 9);
  EXPECT_EQ(job->judge.price_out, 0.5);
  EXPECT_EQ(job->judge.kind, "pairwise");
  const auto again = ReadJobJson(WriteJobJson(*job));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(WriteJobJson(*again), WriteJobJson(*job));
}

TEST(JudgeFields, WrongValuesAreNamedWithWhatIsAllowed) {
  const auto problem = [](const std::string& section) {
    return std::string(JudgeJob(section).status().message());
  };
  EXPECT_THAT(problem(", order: random"),
              HasSubstr("judge.order: \"random\" is not one of both, baseline_first, model_first"));
  EXPECT_THAT(problem(", kind: best"), HasSubstr("pairwise, grades, rating"));
  EXPECT_THAT(problem(", parallel: 0"), HasSubstr("judge.parallel"));
  EXPECT_THAT(problem(", price_in: -1"), HasSubstr("judge.price_in"));
  EXPECT_THAT(problem(", modell: m"), HasSubstr("did you mean \"model\"?"));
}

}  // namespace
}  // namespace fpo
