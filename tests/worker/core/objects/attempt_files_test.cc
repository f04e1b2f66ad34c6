#include "worker/core/objects/attempt_files.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/worker/core/agent_fixture.h"

namespace fpo::worker {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class AttemptFilesTest : public ::testing::Test {
 protected:
  AttemptFilesTest() {
    objects_.Set("model/config.json", "{}");
    options_.places.pushed_outputs = parts_.work / "outputs";
    options_.attempt = {"j-1", 1, 1};
    options_.job_folder = parts_.work / "jobs/j-1";
    job_.model.path = "s3://bucket/model";
    job_.reference.source = "none";
    job_.method.name = "sft";
    job_.output = "s3://bucket/runs/a-smoke";
  }

  fpo::testing::AgentParts parts_;
  fpo::testing::MemoryObjects objects_;
  InputStore inputs_{{.folder = parts_.work / "inputs"}, &objects_};
  RankOutput output_{{"j-1", 1, 1}, -1, &parts_.outbox, &parts_.metrics};
  AttemptFiles::Options options_;
  JobConfig job_;
};

TEST_F(AttemptFilesTest, TheTrainerGetsPathsOfThisHostOnly) {
  AttemptFiles files(options_, &objects_, &inputs_, &output_);
  ASSERT_TRUE(files.Fetch(&job_, {}).ok());
  EXPECT_THAT(job_.model.path, HasSubstr(parts_.work / "inputs/trees/"));
  EXPECT_THAT(job_.output, HasSubstr(parts_.work / "outputs/"));
  EXPECT_TRUE(job_.output.ends_with("-a-smoke")) << job_.output;
  EXPECT_EQ(objects_.Keys().size(), 1u);
  EXPECT_EQ(files.StartPushing(), nullptr) << "a finished output is left alone";
  EXPECT_TRUE(files.Begin(job_).ok());
  EXPECT_THAT(objects_.Keys(), Contains("runs/a-smoke/.attempt.json"));
  EXPECT_THAT(fpo::testing::ReadWhole(job_.output + "/inputs.json"),
              HasSubstr("s3://bucket/model"));
  EXPECT_NE(files.StartPushing(), nullptr);
}

TEST_F(AttemptFilesTest, OnlyTheHostOfRankZeroWrites) {
  options_.leads = false;
  AttemptFiles files(options_, &objects_, &inputs_, &output_);
  ASSERT_TRUE(files.Fetch(&job_, {}).ok());
  ASSERT_TRUE(files.Begin(job_).ok());
  EXPECT_EQ(files.StartPushing(), nullptr);
  EXPECT_THAT(objects_.Keys(), ::testing::Not(Contains("runs/a-smoke/.attempt.json")));
}

TEST_F(AttemptFilesTest, WithoutAStoreAndWithoutTheBucketTheJobEndsWithTheReason) {
  JobConfig job = job_;
  AttemptFiles none(options_, nullptr, nullptr, &output_);
  EXPECT_THAT(std::string(none.Fetch(&job, {}).message()),
              HasSubstr("AWS_... variables are wrong"));
  job = job_;
  job.output = "s3://other/runs/a";
  AttemptFiles files(options_, &objects_, &inputs_, &output_);
  const absl::Status status = files.Fetch(&job, {});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("output: s3://other/runs/a"));
}

TEST_F(AttemptFilesTest, AReferenceJobWritesNothing) {
  job_.kind = "reference";
  AttemptFiles files(options_, &objects_, &inputs_, &output_);
  ASSERT_TRUE(files.Fetch(&job_, {}).ok());
  ASSERT_TRUE(files.Begin(job_).ok());
  EXPECT_EQ(files.StartPushing(), nullptr);
  EXPECT_EQ(objects_.Keys().size(), 1u);
}

}  // namespace
}  // namespace fpo::worker
