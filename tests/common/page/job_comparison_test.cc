#include "common/page/job_comparison.h"

#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Config(double lr, const std::string& output) {
  JobConfig config;
  config.name = "run";
  config.model.path = "/models/tiny";
  config.sae.emplace_back();
  config.sae.back().path = "/saes/s";
  config.reference.source = "cached";
  config.data.train = {"/data/train.jsonl"};
  config.optimizer.lr = lr;
  config.output = output;
  return WriteJobJson(config);
}

std::vector<ComparedJob> ThreeJobs() {
  return {{.job_id = "j-1",
           .name = "a",
           .method = "dpo",
           .state = "SUCCEEDED",
           .config_json = Config(1e-6, "/a"),
           .uses_cache = true,
           .records_hit = 3,
           .records_total = 4,
           .result = {{"eval_rewards/accuracies", 0.7}, {"loss", 0.6}, {"train_seconds", 9}}},
          {.job_id = "j-2",
           .name = "b",
           .method = "dpo",
           .state = "SUCCEEDED",
           .config_json = Config(1e-5, "/b"),
           .result = {{"eval_rewards/accuracies", 0.8}, {"loss", 0.5}, {"train_seconds", 1}}},
          {.job_id = "j-3",
           .name = "b",
           .method = "dpo",
           .state = "RUNNING",
           .config_json = Config(1e-6, "/c")}};
}

ComparisonRow RowNamed(const std::vector<ComparisonRow>& rows, const std::string& name) {
  for (const ComparisonRow& row : rows) {
    if (row.name == name) return row;
  }
  return {};
}

TEST(JobComparisonTest, NamesTellJobsApart) {
  EXPECT_THAT(NamesOf(ThreeJobs()), ElementsAre("a", "b (j-2)", "b (j-3)"));
  EXPECT_THAT(NamesOf({{.job_id = "j-9"}}), ElementsAre("j-9"));
}

TEST(JobComparisonTest, FinalValuesMarkTheBestOfAQuality) {
  const std::vector<ComparisonRow> rows = FinalValueRows(ThreeJobs());
  EXPECT_THAT(RowNamed(rows, "job").cells, ElementsAre("j-1", "j-2", "j-3"));
  EXPECT_THAT(RowNamed(rows, "records found / needed").cells, ElementsAre("3 / 4", "–", "–"));
  EXPECT_THAT(RowNamed(rows, "eval_rewards/accuracies").cells, ElementsAre("0.7", "0.8", "–"));
  EXPECT_THAT(RowNamed(rows, "eval_rewards/accuracies").best, ElementsAre(1));
  EXPECT_THAT(RowNamed(rows, "loss").best, ElementsAre(1)) << "less is better";
  EXPECT_THAT(RowNamed(rows, "train_seconds").best, IsEmpty()) << "a cost";
}

TEST(JobComparisonTest, NothingIsBestWhereNobodyCanSay) {
  std::vector<ComparedJob> jobs = ThreeJobs();
  jobs[0].method = "fpo";
  EXPECT_THAT(RowNamed(FinalValueRows(jobs), "loss").best, IsEmpty()) << "in unlike units";
  jobs[0].result["eval_rewards/accuracies"] = 0.8;
  EXPECT_THAT(RowNamed(FinalValueRows(jobs), "eval_rewards/accuracies").best, IsEmpty());
  jobs[2].result["eval_rewards/accuracies"] = 0.1;
  EXPECT_THAT(RowNamed(FinalValueRows(jobs), "eval_rewards/accuracies").best, ElementsAre(0, 1));
}

TEST(JobComparisonTest, JobFilesDifferInWhatCouldChangeANumber) {
  std::vector<ComparedJob> jobs = ThreeJobs();
  const JobFileComparison files = CompareJobFiles(jobs);
  ASSERT_EQ(files.rows.size(), 1u) << "the output folder does not count";
  EXPECT_EQ(files.rows[0].name, "optimizer.lr");
  EXPECT_THAT(files.rows[0].cells, ElementsAre("1e-06", "1e-05", "1e-06"));
  EXPECT_THAT(files.unread, IsEmpty());
  jobs[2].config_json = "{\"from\": \"the future\"}";
  const JobFileComparison newer = CompareJobFiles(jobs);
  EXPECT_THAT(newer.rows[0].cells, ElementsAre("1e-06", "1e-05", "–"));
  EXPECT_THAT(newer.unread, ElementsAre("b (j-3)"));
  EXPECT_THAT(CompareJobFiles({}).rows, IsEmpty());
}

}  // namespace
}  // namespace fpo
