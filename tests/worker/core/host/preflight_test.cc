#include "worker/core/host/preflight.h"

#include <chrono>
#include <filesystem>
#include <string>

#include "common/files/output_folder.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::TempFolder;
using ::testing::HasSubstr;

TEST(PreflightTest, FreeSpaceIsThatOfTheNearestFolder) {
  TempFolder folder;
  EXPECT_TRUE(CheckFreeBytes(folder / "not/yet/there", 1).ok());
  const absl::Status status = CheckFreeBytes(folder / "not/yet/there", int64_t{1} << 60);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder.path()));
}

TEST(PreflightTest, OutputNeedsAFolder) {
  TempFolder folder;
  EXPECT_TRUE(CheckCanWrite(folder / "runs/1").ok());
  fpo::testing::WriteWhole(folder / "file", "x");
  const absl::Status status = CheckCanWrite(folder / "file/runs");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not a folder"));
}

TEST(PreflightTest, OldWorkGoesNewWorkStays) {
  namespace fs = std::filesystem;
  TempFolder work;
  for (const char* name : {"/jobs/old", "/jobs/new"}) {
    fs::create_directories(work.path() + name);
  }
  fs::last_write_time(work / "jobs/old",
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  RemoveOldWork(work.path());
  EXPECT_FALSE(fs::exists(work / "jobs/old"));
  EXPECT_TRUE(fs::exists(work / "jobs/new"));
}

TEST(PreflightTest, SharedMemoryTooSmallForTheRanksIsNamed) {
  EXPECT_TRUE(CheckSharedMemory("/dev/shm", 1).ok());
  EXPECT_TRUE(CheckSharedMemory("/no/such/folder", 8).ok());
  const absl::Status small = CheckSharedMemory("/tmp", 1 << 30);
  EXPECT_TRUE(absl::IsUnavailable(small));
  EXPECT_NE(small.message().find("1073741824 ranks need"), absl::string_view::npos) << small;
  EXPECT_NE(small.message().find("--shm-size"), absl::string_view::npos);
}

class LookAtOutputTest : public ::testing::Test {
 protected:
  LookAtOutputTest() {
    job_.name = "long";
    job_.model.path = "/m";
    job_.data.train = {"/d"};
    job_.method.name = "sft";
    job_.reference.source = "none";
    job_.output = folder_ / "out";
    job_.max_steps = 10;
  }
  // A run of `by` in the job's folder.
  void Leave(const JobConfig& job, const std::string& by, bool finished) {
    std::filesystem::create_directories(job.output + "/checkpoints/step-2");
    fpo::testing::WriteWhole(job.output + "/job.yaml", WriteJobYaml(job));
    fpo::testing::WriteWhole(job.output + "/run.json",
                             "{\"job_id\": \"" + by + "\", \"steps\": 10, \"finished\": " +
                                 (finished ? "true" : "false") +
                                 ", \"finished_at\": \"2026-05-03T10:20:31Z\"}");
  }
  OutputUse Look(bool may_replace = true) {
    const auto use = LookAtOutput(job_, "j-2", may_replace);
    EXPECT_TRUE(use.ok()) << use.status();
    return use.value_or(OutputUse());
  }
  bool HasRun() { return std::filesystem::exists(job_.output + "/checkpoints/step-2"); }

  TempFolder folder_;
  JobConfig job_;
};

TEST_F(LookAtOutputTest, AFreshFolderOrTheOwnRunIsGoneOnWith) {
  EXPECT_EQ(Look().finished, "");
  Leave(job_, "j-2", false);
  EXPECT_EQ(Look().finished, "");
  Leave(job_, "j-2", true);
  EXPECT_EQ(Look().finished, "") << "of an attempt whose report was lost: it is this job's result";
  EXPECT_TRUE(HasRun());
}

TEST_F(LookAtOutputTest, TheRunOfAnotherJobIsNamedWithWhatDiffers) {
  Leave(job_, "j-1", false);
  job_.optimizer.lr = 1e-5;
  const absl::Status status = LookAtOutput(job_, "j-2", true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("holds the run of job \"long\" (j-1), not finished, with other settings: "
                        "optimizer.lr: 1e-05 here, 5e-07 in the folder"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--set output="));
  EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("--out ")));
  job_.kind = "evaluate";
  EXPECT_TRUE(LookAtOutput(job_, "j-2", true).ok()) << "it writes beside the run it measures";
}

TEST_F(LookAtOutputTest, AFinishedRunIsSaid) {
  Leave(job_, "j-1", true);
  EXPECT_EQ(Look().finished, "the run of job \"long\" (j-1), finished 2026-05-03 10:20:31 UTC");
  job_.max_steps = 11;
  EXPECT_EQ(Look().finished, "") << "there is something to train";
}

TEST_F(LookAtOutputTest, ASmokeReplacesASmokeAndNothingElse) {
  JobConfig real = job_;
  MakeSmokeNames(&job_);
  Leave(job_, "j-1", true);
  job_.method.beta = 3;
  EXPECT_THAT(Look(/*may_replace=*/false).replaced, HasSubstr("the run of job \"long-smoke\""));
  EXPECT_TRUE(HasRun());
  EXPECT_THAT(Look().replaced, HasSubstr("the run of job \"long-smoke\" (j-1)"));
  EXPECT_FALSE(HasRun());
  job_.method.beta = 0.1;
  Leave(job_, "j-2", false);  // an earlier attempt of its own
  EXPECT_EQ(Look().replaced, "");
  EXPECT_TRUE(HasRun());
  real.output = job_.output;  // of no smoke
  real.seed = 5;
  Leave(real, "j-1", true);
  EXPECT_FALSE(LookAtOutput(job_, "j-2", true).ok());
  EXPECT_TRUE(HasRun());
}

TEST_F(LookAtOutputTest, AFolderThatCannotBeReadIsNoFreshOne) {
  std::filesystem::create_directories(job_.output);
  fpo::testing::WriteWhole(job_.output + "/job.yaml", "colour: red\n");
  EXPECT_THAT(std::string(LookAtOutput(job_, "j-2", true).status().message()), HasSubstr("colour"));
}

}  // namespace
}  // namespace fpo::worker
