#include "common/files/output_folder.h"

#include <filesystem>
#include <string>

#include "absl/time/clock.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using testing::WriteWhole;

class OutputFolderTest : public ::testing::Test {
 protected:
  OutputFolderTest() {
    job_.name = "long";
    job_.model.path = "/m";
    job_.output = folder_.path();
    job_.data.train = {"/d"};
    job_.method.name = "sft";
    job_.reference.source = "none";
    job_.optimizer.lr = 1e-4;
    job_.max_steps = 10;
  }
  void WriteRun(const std::string& run_json) {
    WriteWhole(folder_ / "job.yaml", WriteJobYaml(job_));
    if (!run_json.empty()) WriteWhole(folder_ / "run.json", run_json);
  }
  FolderRun Read() { return ReadFolderRun(folder_.path()).value().value(); }
  bool Exists(const std::string& name) { return std::filesystem::exists(folder_ / name); }

  testing::TempFolder folder_;
  JobConfig job_;
};

constexpr char kFinished[] =
    R"({"job_id": "j-1", "finished": true, "steps": 10, "finished_at": "2026-05-03T10:20:31Z"})";

TEST_F(OutputFolderTest, NoRunWithoutAJobFile) {
  EXPECT_EQ(ReadFolderRun(folder_.path()).value(), std::nullopt);
  EXPECT_EQ(ReadFolderRun(folder_ / "none").value(), std::nullopt);
  EXPECT_EQ(ReadFolderRun("").value(), std::nullopt);
  WriteWhole(folder_ / "job.yaml", "colour: red\n");
  EXPECT_EQ(ReadFolderRun(folder_.path()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(OutputFolderTest, SaysWhoseRunItIsAndHowFar) {
  WriteRun("");
  EXPECT_EQ(Read().Describe(), "the run of job \"long\", not finished");
  WriteRun("{\"finished\": true, \"steps\"");  // torn
  EXPECT_FALSE(Read().finished);
  WriteRun(kFinished);
  EXPECT_EQ(Read().Describe(), "the run of job \"long\" (j-1), finished 2026-05-03 10:20:31 UTC");
  WriteRun("{\"finished\": true}");
  EXPECT_GT(Read().finished_at, absl::Now() - absl::Hours(1)) << "the file's time";
}

TEST_F(OutputFolderTest, OtherSettingsAreNamedWithBothValues) {
  WriteRun(kFinished);
  EXPECT_TRUE(CheckSameRun(Read(), job_, "advice").ok());
  job_.optimizer.lr = 1e-5;
  const absl::Status status = CheckSameRun(Read(), job_, "choose another --out");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(
      std::string(status.message()),
      "output folder " + folder_.path() +
          " holds the run of job \"long\" (j-1), finished 2026-05-03 10:20:31 UTC, with other "
          "settings: optimizer.lr: 1e-05 here, 0.0001 in the folder; choose another --out");
}

TEST_F(OutputFolderTest, AFinishedRunGoesOnWhenMoreStepsAreAsked) {
  WriteRun("");
  EXPECT_FALSE(HasAllSteps(Read(), job_));
  WriteRun(kFinished);
  EXPECT_TRUE(HasAllSteps(Read(), job_));
  job_.evaluate.pairs = 3;
  job_.max_steps = 4;
  EXPECT_TRUE(HasAllSteps(Read(), job_));
  job_.max_steps = 11;
  EXPECT_FALSE(HasAllSteps(Read(), job_));
  job_.max_steps.reset();
  EXPECT_FALSE(HasAllSteps(Read(), job_));
  WriteRun(kFinished);  // without a limit
  EXPECT_TRUE(HasAllSteps(Read(), job_));
  job_.max_steps = 1000;
  EXPECT_TRUE(HasAllSteps(Read(), job_)) << "an epoch was less";
  job_.epochs = 2;
  EXPECT_FALSE(HasAllSteps(Read(), job_));
}

TEST_F(OutputFolderTest, ASmokeIsKnownByNameFolderAndLabel) {
  job_.output = "/runs/long/";
  job_.name = std::string(60, 'a');
  EXPECT_FALSE(IsSmoke(job_));
  MakeSmokeNames(&job_);
  EXPECT_TRUE(IsSmoke(job_));
  EXPECT_EQ(job_.output, "/runs/long-smoke");
  EXPECT_EQ(job_.name, std::string(57, 'a') + "-smoke");
  job_.output = "/runs/long";  // labelled by hand
  EXPECT_FALSE(IsSmoke(job_));
}

TEST_F(OutputFolderTest, OnlyWhatARunLeavesIsRemoved) {
  WriteRun(kFinished);
  std::filesystem::create_directories(folder_ / "checkpoints/step-2");
  WriteWhole(folder_ / "notes.txt", "mine");
  ASSERT_TRUE(RemoveRun(folder_.path()).ok());
  EXPECT_FALSE(Exists("job.yaml") || Exists("run.json") || Exists("checkpoints"));
  EXPECT_TRUE(Exists("notes.txt"));
  EXPECT_TRUE(RemoveRun(folder_.path()).ok()) << "what is gone already is no error";
}

}  // namespace
}  // namespace fpo
