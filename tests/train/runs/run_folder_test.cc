#include "train/runs/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

TEST(RunFolder, BelongsToOneJob) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("fpo");
  auto folder = RunFolder::Open(tiny.Path("out"), job, false);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->state(), RunFolder::State::kFresh);
  ASSERT_TRUE(folder->WriteJob(job).ok());
  const absl::Status taken = RunFolder::Open(tiny.Path("out"), job, false).status();
  EXPECT_THAT(std::string(taken.message()),
              HasSubstr("holds the run of job \"tiny\", not finished; continue it with --resume"));
  folder = RunFolder::Open(tiny.Path("out"), job, true);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->state(), RunFolder::State::kStarted);
  ASSERT_TRUE(folder->WriteRunJson("{\"finished\": true, \"steps\": 3}").ok());
  EXPECT_EQ(RunFolder::Open(tiny.Path("out"), job, true)->state(), RunFolder::State::kFinished);
  JobConfig longer = job;
  longer.max_steps = 4;
  EXPECT_EQ(RunFolder::Open(tiny.Path("out"), longer, true)->state(), RunFolder::State::kStarted);
}

TEST(RunFolder, SettingsThatDifferAreNamedWithTheFlagsOfThisProgram) {
  const TinyRun tiny;
  JobConfig job = tiny.Job("dpo");
  ASSERT_TRUE(RunFolder::Open(tiny.Path("out"), job, false)->WriteJob(job).ok());
  job.optimizer.lr = 1e-5;
  for (const bool resume : {false, true}) {
    const absl::Status status = RunFolder::Open(tiny.Path("out"), job, resume).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("optimizer.lr: 1e-05 here, 0.003 in the folder; choose another --out"));
  }
}

TEST(RunFolder, UnwritableFolderIsStorage) {
  const TinyRun tiny;
  EXPECT_EQ(ExitCodeOf(RunFolder::Open("/proc/out", tiny.Job("dpo"), false).status()),
            ExitCode::kStorage);
}

}  // namespace
}  // namespace fpo::train
