#include "train/runs/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "common/files/posix_status.h"

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

TEST(RunFolder, AFolderInUseIsRefusedBeforeAnythingIsWritten) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("dpo");
  const std::string out = tiny.Path("out");
  {
    const auto running = RunFolder::Open(out, job, false, HolderOf("j-1/1/1"));
    ASSERT_TRUE(running.ok()) << running.status();
    const absl::Status taken = RunFolder::Open(out, job, false, HolderOf("j-2/1/1")).status();
    EXPECT_EQ(ExitCodeOf(taken), ExitCode::kStorage) << taken;
    EXPECT_NE(taken.message().find("attempt 1 (epoch 1) of job j-1"), std::string::npos) << taken;
    EXPECT_TRUE(RunFolder::Open(out, job, false).ok()) << "another rank of the run";
  }
  EXPECT_TRUE(RunFolder::Open(out, job, false, HolderOf("j-2/1/1")).ok()) << "once it has ended";
}

TEST(RunFolder, AnOldAttemptWritesNothingMore) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("dpo");
  const std::string out = tiny.Path("out");
  const auto old = RunFolder::Open(out, job, false, HolderOf("j-1/1/1"));
  ASSERT_TRUE(old->WriteRunJson("{\"attempt\": 1}").ok());
  const auto next = RunFolder::Open(out, job, false, HolderOf("j-1/2/2"));
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_TRUE(next->WriteRunJson("{\"attempt\": 2}").ok());
  EXPECT_FALSE(RunFolder::Open(out, job, false, HolderOf("j-1/1/1")).ok());
  EXPECT_EQ(ReadFile(out + "/run.json").value(), "{\"attempt\": 2}");
}

TEST(JobOutput, OtherKindsOfJobsLockTheirFolderToo) {
  const TinyRun tiny;
  const std::string out = tiny.Path("out.v1");  // a dot makes no file of it
  for (const auto& [command, file] :
       std::vector<std::pair<std::string, std::string>>{{"evaluate", out + "/evaluation.json"},
                                                        {"generate", out + "/answers.jsonl"},
                                                        {"sae", out},
                                                        {"sae", out + "/sae.npz"}}) {
    const auto lock = LockOutputOf({command, file, "j-1/1/1"});
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_TRUE(IsOutputLocked(out)) << command;
    EXPECT_EQ(ExitCodeOf(LockOutputOf({command, file, "j-2/1/1"}).status()), ExitCode::kStorage);
    EXPECT_EQ(*LockOutputOf({command, file, ""}), nullptr) << "by hand";
  }
  EXPECT_EQ(*LockOutputOf({"run", out, "j-1/1/1"}), nullptr) << "RunFolder does that";
}

}  // namespace
}  // namespace fpo::train
