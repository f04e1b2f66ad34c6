#include "worker/core/objects/job_inputs.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/object_store/memory_objects.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class JobInputsTest : public ::testing::Test {
 protected:
  JobInputsTest() {
    objects_.Set("model/config.json", "{}");
    objects_.Set("data/train.jsonl", "row");
    config_.model.path = "s3://bucket/model";
    config_.reference.source = "cached";
    config_.reference.path = "s3://bucket/model";
    config_.data.train = {"s3://bucket/data/train.jsonl"};
    config_.data.eval = {"/srv/eval.jsonl"};
    config_.method.name = "dpo";
  }
  absl::Status Fetch(JobInputs* inputs) {
    return inputs->Fetch(&config_,
                         {[this](const std::string& text) { absl::StrAppend(&notes_, text, "\n"); },
                          [](const std::string&) {}},
                         {});
  }

  fpo::testing::TempFolder folder_;
  fpo::testing::MemoryObjects objects_;
  InputStore store_{{.folder = folder_ / "inputs"}, &objects_};
  JobConfig config_;
  std::string notes_;
};

TEST_F(JobInputsTest, UrlsBecomePathsAndPathsStay) {
  JobInputs inputs({}, &store_);
  ASSERT_TRUE(Fetch(&inputs).ok());
  EXPECT_EQ(ReadWhole(config_.model.path + "/config.json"), "{}");
  EXPECT_EQ(config_.reference.path, config_.model.path);
  EXPECT_EQ(ReadWhole(config_.data.train[0]), "row");
  EXPECT_EQ(config_.data.eval[0], "/srv/eval.jsonl");
  EXPECT_THAT(notes_, HasSubstr("input s3://bucket/data/train.jsonl: 1 files, 0.0 MiB"));
}

TEST_F(JobInputsTest, AMissingInputIsTheUsersToMend) {
  config_.data.train = {"s3://bucket/data/none.jsonl"};
  JobInputs inputs({}, &store_);
  const absl::Status status = Fetch(&inputs);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("data.train: there is no object s3://bucket/data/none.jsonl"));
}

TEST_F(JobInputsTest, AWorkerWithPlacesReadsNothingElse) {
  JobInputs::Options options;
  options.places = *PlacesOf({"s3://bucket/data"}, {});
  JobInputs inputs(options, &store_);
  const absl::Status status = Fetch(&inputs);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model.path: s3://bucket/model is not below"));
}

TEST_F(JobInputsTest, ARepositoryOfTheHubIsTakenFromItsCache) {
  const std::string commit = "0123456789abcdef0123456789abcdef01234567";
  const std::string repository = folder_ / "hub/models--org--name";
  fs::create_directories(repository + "/refs");
  fs::create_directories(repository + "/snapshots/" + commit);
  WriteWhole(repository + "/refs/main", commit);
  WriteWhole(repository + "/snapshots/" + commit + "/config.json", "{hub}");
  config_.model.path = "hf://org/name";
  JobInputs::Options options;
  options.hub_cache = folder_ / "hub";
  JobInputs inputs(options, &store_);
  ASSERT_TRUE(Fetch(&inputs).ok());
  EXPECT_EQ(ReadWhole(config_.model.path + "/config.json"), "{hub}");
  EXPECT_THAT(notes_, HasSubstr("commit " + commit));
}

TEST_F(JobInputsTest, AnInputThatChangedSinceTheJobBeganIsRefused) {
  const JobConfig job = config_;
  {
    JobInputs inputs({}, &store_);
    ASSERT_TRUE(Fetch(&inputs).ok());
    EXPECT_TRUE(inputs.CheckUnchanged(folder_.path()).ok()) << "nothing is remembered";
    ASSERT_TRUE(inputs.Remember(folder_ / "job").ok());
    EXPECT_TRUE(inputs.CheckUnchanged(folder_ / "job").ok());
  }
  objects_.Set("data/train.jsonl", "row");  // put there anew, and the same
  config_ = job;
  {
    JobInputs inputs({}, &store_);
    ASSERT_TRUE(Fetch(&inputs).ok());
    EXPECT_TRUE(inputs.CheckUnchanged(folder_ / "job").ok());
  }
  objects_.Set("data/train.jsonl", "another row");
  config_ = job;
  JobInputs inputs({}, &store_);
  ASSERT_TRUE(Fetch(&inputs).ok());
  const absl::Status changed = inputs.CheckUnchanged(folder_ / "job");
  EXPECT_TRUE(absl::IsInvalidArgument(changed)) << changed;
  EXPECT_THAT(std::string(changed.message()),
              HasSubstr("s3://bucket/data/train.jsonl changed since the job began"));
  ASSERT_TRUE(inputs.Remember(folder_ / "job").ok());
  EXPECT_FALSE(inputs.CheckUnchanged(folder_ / "job").ok()) << "what was first is remembered";
}

}  // namespace
}  // namespace fpo::worker
