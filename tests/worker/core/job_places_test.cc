#include "worker/core/job_places.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class JobPlacesTest : public ::testing::Test {
 protected:
  JobPlacesTest() {
    for (const char* folder : {"srv/gemma", "srv/data", "runs", "secret"}) {
      fs::create_directories(folder_ / folder);
    }
    WriteWhole(folder_ / "srv/data/a.jsonl", "{}");
    WriteWhole(folder_ / "srv/gemma/config.json", "{}");
    WriteWhole(folder_ / "secret/token", "fpo_");
    places_ = {Roots({folder_ / "srv"}), Roots({folder_ / "runs"})};
    job_.kind = "train";
    job_.model.path = folder_ / "srv/gemma";
    job_.data.train = {folder_ / "srv/data/a.jsonl"};
    job_.reference.source = "none";
    job_.method.name = "sft";
    job_.output = folder_ / "runs/a";
  }
  std::string Refusal() const {
    const absl::Status status = CheckPlaces(places_, job_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }
  absl::Status Owner(const std::string& owner, bool bind = true) const {
    return CheckOwner(places_, job_, owner, bind);
  }
  absl::Status Serve(const std::string& folder, const std::string& owner, bool checkpoint) const {
    ServeArtifactCommand order;
    order.folder = folder;
    order.owner = owner;
    order.checkpoint = checkpoint;
    return MayServe(places_, order);
  }

  fpo::testing::TempFolder folder_;
  JobPlaces places_;
  JobConfig job_;
};

TEST_F(JobPlacesTest, BucketsAreOpenBelowTheirPrefixes) {
  const auto places = PlacesOf({folder_ / "srv", "s3://bucket/in"}, {"s3://bucket/out/"});
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_TRUE(CheckUrlPlace(*places, "s3://bucket/in", false).ok());
  EXPECT_TRUE(CheckUrlPlace(*places, "s3://bucket/in/a*.jsonl", false).ok());
  EXPECT_TRUE(CheckUrlPlace(*places, "s3://bucket/out/a", false).ok()) << "jobs may read there too";
  EXPECT_TRUE(CheckUrlPlace(*places, "s3://bucket/out/a", true).ok());
  for (const char* closed : {"s3://bucket/into", "s3://bucket/i*/a", "s3://bucket2/in/a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckUrlPlace(*places, closed, false))) << closed;
  }
  EXPECT_FALSE(CheckUrlPlace(*places, "s3://bucket/in/a", true).ok());
  EXPECT_FALSE(CheckUrlPlace(places_, "s3://bucket/in/a", false).ok()) << "folders only";
  EXPECT_TRUE(CheckUrlPlace(JobPlaces(), "s3://bucket/in/a", true).ok());
  EXPECT_FALSE(PlacesOf({"s3://Bucket"}, {}).ok());
  job_.output = "s3://bucket/in/a";
  places_ = *places;
  EXPECT_THAT(Refusal(), HasSubstr("output: s3://bucket/in/a is not below"));
}

TEST_F(JobPlacesTest, AnOutputInABucketIsBuiltInAFolderOfTheAgent) {
  places_.pushed_outputs = folder_ / "work/outputs";
  fs::create_directories(places_.pushed_outputs);
  const std::string local = LocalOutput(places_, "s3://bucket/runs/a");
  EXPECT_EQ(LocalOutput(places_, "/runs/a"), "/runs/a");
  EXPECT_THAT(local, HasSubstr(folder_ / "work/outputs/"));
  EXPECT_NE(local, LocalOutput(places_, "s3://bucket2/runs/a"));
  EXPECT_TRUE(CheckOutputPlace(places_, local + "/checkpoints/step-4").ok());
  EXPECT_FALSE(CheckOutputPlace(places_, folder_ / "work/jobs").ok());
}

TEST_F(JobPlacesTest, AJobInsideTheRootsRuns) {
  EXPECT_TRUE(CheckPlaces(places_, job_).ok());
  job_.data.train = {folder_ / "srv/data/*.jsonl", folder_ / "srv/data"};
  EXPECT_TRUE(CheckPlaces(places_, job_).ok());
  job_.model.path = folder_ / "runs/before/model";
  EXPECT_TRUE(CheckPlaces(places_, job_).ok()) << "what is missing is said by another check";
  job_.model.path = "/anywhere";
  EXPECT_FALSE(CheckPlaces(places_, job_).ok());
  EXPECT_TRUE(CheckPlaces({}, job_).ok()) << "without roots";
}

TEST_F(JobPlacesTest, NoKeyOfAJobLeadsElsewhere) {
  job_.method.feature_weights = folder_ / "secret/token";
  EXPECT_THAT(Refusal(), HasSubstr("method.feature_weights: "));
  job_.method.feature_weights = folder_ / "secret/none";
  EXPECT_THAT(Refusal(), HasSubstr("is not below a folder that this worker opens"));
  job_.method.feature_weights.clear();
  job_.constraint.sets.resize(1);
  job_.constraint.sets[0].features_file = folder_ / "secret/token";
  EXPECT_THAT(Refusal(), HasSubstr("constraint.sets: "));
  job_.constraint.sets.clear();
  job_.data.eval = {folder_ / "secret/*"};
  EXPECT_THAT(Refusal(), HasSubstr("data.eval: "));
  job_.data.eval.clear();
  job_.output = folder_ / "srv/gemma";
  EXPECT_THAT(Refusal(), HasSubstr("output: "));
  job_.output = folder_ / "runs/../secret";
  EXPECT_THAT(Refusal(), HasSubstr("output: "));
}

TEST_F(JobPlacesTest, NoKeyOfAJudgeLeadsElsewhere) {
  job_.kind = "judge";
  job_.judge.outputs = job_.judge.baseline = job_.model.path;
  EXPECT_TRUE(CheckPlaces(places_, job_).ok());
  job_.judge.store = folder_ / "srv/verdicts";  // may be read, not written
  EXPECT_THAT(Refusal(), HasSubstr("judge.store: "));
  job_.judge.store = folder_ / "runs/verdicts";
  EXPECT_TRUE(CheckPlaces(places_, job_).ok());
}

// Whoever submits a job could else have any key of the worker sent to a server of his own.
TEST_F(JobPlacesTest, AKeyGoesToItsServerAlone) {
  job_.kind = "judge";
  job_.judge.outputs = job_.judge.baseline = job_.model.path;
  job_.judge.url = "https://mine.example/v1";
  EXPECT_THAT(Refusal(), HasSubstr("judge.url: https://mine.example/v1 is no server that this"));
  EXPECT_THAT(Refusal(), HasSubstr("there is none"));
  places_.judges = {{"https://host/v1", folder_ / "secret/token"}, {"http://plain/v1", ""}};
  EXPECT_THAT(Refusal(), HasSubstr("there are http://plain/v1, https://host/v1"));
  job_.judge.url = "https://host/v1/";
  EXPECT_TRUE(CheckPlaces(places_, job_).ok()) << "it may ask without a key";
  job_.judge.key_file = folder_ / "secret/token";
  EXPECT_TRUE(CheckPlaces(places_, job_).ok()) << "outside the roots";
  job_.judge.key_file = folder_ / "srv/gemma/config.json";
  EXPECT_THAT(Refusal(), HasSubstr("judge.key_file: "));
  job_.judge.url = "http://plain/v1";
  job_.judge.key_file = folder_ / "secret/token";
  EXPECT_THAT(Refusal(), HasSubstr("this worker has no key for it"));
  EXPECT_TRUE(CheckPlaces({}, job_).ok()) << "without roots";
}

TEST_F(JobPlacesTest, NoLinkLeadsElsewhere) {
  fs::create_symlink(folder_ / "secret/token", folder_ / "srv/gemma/merges.txt");
  EXPECT_THAT(Refusal(), HasSubstr("model.path: "));
  fs::remove(folder_ / "srv/gemma/merges.txt");
  fs::create_directories(folder_ / "runs/a");
  fs::create_directory_symlink(folder_ / "secret", folder_ / "runs/a/checkpoints");
  EXPECT_THAT(Refusal(), HasSubstr("checkpoints is a symbolic link"));
}

TEST_F(JobPlacesTest, ACheckpointsRunDoesNotOpenAnotherModel) {
  const std::string checkpoint = folder_ / "runs/b/checkpoints/step-4";
  fs::create_directories(checkpoint);
  fs::create_directories(folder_ / "secret/model");
  WriteWhole(folder_ / "secret/model/config.json", "{}");
  WriteWhole(checkpoint + "/manifest.json", "{}");
  WriteWhole(checkpoint + "/model.safetensors", "");
  WriteWhole(checkpoint + "/state.json",
             absl::StrCat(R"({"model_path": ")", folder_ / "secret/model", R"("})"));
  WriteWhole(folder_ / "runs/b/run.json",
             absl::StrCat(R"({"model": {"path": ")", folder_ / "secret/model", R"("}})"));
  job_.model.path = checkpoint;
  EXPECT_THAT(Refusal(), HasSubstr("model.path: "));
}

TEST_F(JobPlacesTest, AnOutputFolderIsItsFirstOwners) {
  EXPECT_TRUE(Owner("ana", /*bind=*/false).ok());
  EXPECT_FALSE(fs::exists(job_.output));
  EXPECT_TRUE(Owner("ana").ok());
  EXPECT_EQ(ReadWhole(job_.output + "/.owner"), "{\"owner\":\"ana\"}\n");
  EXPECT_TRUE(Owner("ana").ok());
  EXPECT_THAT(std::string(Owner("bea").message()),
              HasSubstr("belongs to ana, and this job to bea"));
  job_.kind = "reference";
  EXPECT_TRUE(Owner("bea").ok()) << "it writes nothing there";
}

TEST_F(JobPlacesTest, ARunOfUnknownOwnerIsNoOnesToTake) {
  fs::create_directories(job_.output);
  WriteWhole(job_.output + "/job.yaml", "name: a");
  EXPECT_THAT(std::string(Owner("bea").message()), HasSubstr("says whose it is"));
  places_ = {};
  EXPECT_TRUE(Owner("bea").ok()) << "on a machine whose users share it";
}

TEST_F(JobPlacesTest, FilesAreServedToTheirOwnerFromWhereJobsWrite) {
  ASSERT_TRUE(Owner("ana").ok());
  fs::create_directories(job_.output + "/checkpoints/step-4");
  EXPECT_TRUE(Serve(job_.output, "ana", false).ok());
  EXPECT_TRUE(Serve(job_.output + "/checkpoints/step-4", "ana", true).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(Serve(job_.output, "bea", false)));
  EXPECT_TRUE(absl::IsPermissionDenied(Serve(job_.output + "/checkpoints/step-4", "bea", true)));
  EXPECT_TRUE(absl::IsPermissionDenied(Serve(folder_ / "secret", "ana", false)));
  EXPECT_TRUE(absl::IsPermissionDenied(Serve(folder_ / "srv/gemma", "ana", false)));
  EXPECT_TRUE(absl::IsPermissionDenied(Serve(folder_ / "runs/b", "ana", false))) << "no one's";
  places_ = {};
  EXPECT_TRUE(Serve(folder_ / "runs/b", "ana", false).ok());
  EXPECT_FALSE(Serve(job_.output, "bea", false).ok());
}

}  // namespace
}  // namespace fpo::worker
