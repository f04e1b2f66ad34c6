#include "train/runs/run_contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/train/support/tiny_run.h"
#include "train/runs/run_training.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

JobDifference PathChange(const std::string& key) {
  return JobDifference{key, "\"/new\"", "\"/old\"", true};
}

class RunContentsTest : public ::testing::Test {
 protected:
  std::string Check(const std::string& record, const std::vector<JobDifference>& changes) {
    fs::create_directories(tiny_.Path("out"));
    std::ofstream(tiny_.Path("out/run.json")) << record;
    const std::map<std::string, std::string> now = {{"model.path", "aa"}, {"data.train", "bb"}};
    const absl::Status status = CheckSameContents(tiny_.Path("out"), changes, now);
    return status.ok() ? "same" : std::string(status.message());
  }
  const TinyRun tiny_;
};

TEST_F(RunContentsTest, DigestsDecideAndNotNames) {
  const std::string record = R"({"contents": {"model.path": "aa", "data.train": "cc"}})";
  EXPECT_EQ(Check(record, {PathChange("model.path")}), "same");
  EXPECT_THAT(
      Check(record, {PathChange("data.train")}),
      HasSubstr("data.train \"/new\": it began with \"/old\", and something else is there"));
  EXPECT_THAT(Check(record, {PathChange("data.template")}), HasSubstr("something else"));
  EXPECT_EQ(Check(record, {PathChange("sae.path")}), "same") << "no SAE is read";
  EXPECT_EQ(Check(record, {{"batch.tokens_per_microbatch", "1", "2"}}), "same");
  EXPECT_THAT(Check("{}", {PathChange("model.path")}), HasSubstr("of an older version"));
  EXPECT_TRUE(CheckSameContents(tiny_.Path("nowhere"), {PathChange("model.path")}, {}).ok());
}

TEST_F(RunContentsTest, ChangesAreDescribed) {
  EXPECT_EQ(DescribeChanges({}), "");
  EXPECT_EQ(DescribeChanges({{"batch.tokens_per_microbatch", "60", "16384"}}),
            "continues with batch.tokens_per_microbatch: 60 now, 16384 before");
  EXPECT_THAT(DescribeChanges({PathChange("model.path")}), HasSubstr("the contents are the same"));
}

// Two steps, then the rest as `change` makes the job; everything the second run said.
struct Continued {
  absl::Status status;
  std::string said;
};

Continued Continue(const TinyRun& tiny, JobConfig job,
                   const std::function<void(JobConfig*)>& change) {
  job.max_steps = 2;
  RunOptions options = tiny.Run("parts");
  EXPECT_TRUE(TrainOnce(job, options).ok());
  job.max_steps = 4;
  change(&job);
  options.resume = true;
  RecordingSink events;
  Continued continued{TrainOnce(job, options, &events), ""};
  for (const TrainEvent& event : events.events) continued.said += event.message + "\n";
  return continued;
}

JobConfig LongerJob(const TinyRun& tiny) {
  JobConfig job = tiny.Job("fpo");
  job.epochs = 2;
  return job;
}

TEST_F(RunContentsTest, AMovedModelAndSmallerMicroBatchesContinueTheRun) {
  fs::copy(tiny_.Path("model"), tiny_.Path("moved"), fs::copy_options::recursive);
  fs::copy(tiny_.Path("sae"), tiny_.Path("moved-sae"), fs::copy_options::recursive);
  const Continued run = Continue(tiny_, LongerJob(tiny_), [&](JobConfig* job) {
    job->model.path = job->reference.path = tiny_.Path("moved");
    job->sae[0].path = tiny_.Path("moved-sae");
    job->batch.tokens_per_microbatch = 60;
    job->activation_checkpointing = true;
  });
  ASSERT_TRUE(run.status.ok()) << run.status;
  EXPECT_THAT(run.said, HasSubstr("batch.tokens_per_microbatch: 60 now, "));
  EXPECT_THAT(run.said, HasSubstr("the contents are the same"));
  EXPECT_EQ(ReadMetrics(tiny_.Path("parts")).size(), 4u);
  EXPECT_THAT(Slurp(tiny_.Path("parts/job.yaml")), HasSubstr("moved-sae"));
}

TEST_F(RunContentsTest, AnotherModelOrSaeDoesNot) {
  tiny_.WriteModel("other", 99);
  const Continued model = Continue(tiny_, LongerJob(tiny_), [&](JobConfig* job) {
    job->model.path = job->reference.path = tiny_.Path("other");
  });
  EXPECT_TRUE(absl::IsInvalidArgument(model.status)) << model.status;
  EXPECT_THAT(std::string(model.status.message()), HasSubstr("model.path"));
  fs::remove_all(tiny_.Path("parts"));
  JobConfig weighted = LongerJob(tiny_);
  weighted.method.feature_weights = tiny_.Path("phi");
  std::ofstream(tiny_.Path("phi")) << "1 2.0\n";
  std::ofstream(tiny_.Path("psi")) << "1 3.0\n";
  const Continued weights = Continue(
      tiny_, weighted, [&](JobConfig* job) { job->method.feature_weights = tiny_.Path("psi"); });
  EXPECT_TRUE(absl::IsInvalidArgument(weights.status)) << weights.status;
  EXPECT_THAT(std::string(weights.status.message()), HasSubstr("method.feature_weights"));
}

TEST_F(RunContentsTest, AnotherLearningRateIsStillAnotherRun) {
  const Continued run =
      Continue(tiny_, LongerJob(tiny_), [](JobConfig* job) { job->optimizer.lr *= 2; });
  EXPECT_TRUE(absl::IsAlreadyExists(run.status)) << run.status;
}

}  // namespace
}  // namespace fpo::train
