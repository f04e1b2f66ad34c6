#include "worker/trainer/train/run_folder.h"

#include <gtest/gtest.h>

#include "tests/worker/trainer/train/tiny_run.h"
#include "worker/trainer/train/exit_status.h"

namespace fpo::train {
namespace {

TEST(RunFolder, BelongsToOneJob) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("fpo");
  auto folder = RunFolder::Open(tiny.Path("out"), job, false);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->state(), RunFolder::State::kFresh);
  ASSERT_TRUE(folder->WriteJob(job).ok());
  EXPECT_FALSE(RunFolder::Open(tiny.Path("out"), job, false).ok());
  folder = RunFolder::Open(tiny.Path("out"), job, true);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->state(), RunFolder::State::kStarted);
  ASSERT_TRUE(folder->WriteRunJson("{\"finished\": true}").ok());
  EXPECT_EQ(RunFolder::Open(tiny.Path("out"), job, true)->state(), RunFolder::State::kFinished);
  EXPECT_FALSE(RunFolder::Open(tiny.Path("out"), tiny.Job("dpo"), true).ok());
}

TEST(RunFolder, WhatMayDifferBetweenAttempts) {
  const TinyRun tiny;
  const JobConfig job = tiny.Job("fpo");
  JobConfig other = job;
  other.name = "renamed";
  other.checkpoint.every_steps = 1;
  other.max_steps = 99;
  EXPECT_TRUE(SameRun(job, other));
  other.schedule.name = "cosine";
  EXPECT_FALSE(SameRun(job, other));
  other = job;
  other.seed = 1;
  EXPECT_FALSE(SameRun(job, other));
}

TEST(RunFolder, UnwritableFolderIsStorage) {
  const TinyRun tiny;
  EXPECT_EQ(ExitCodeOf(RunFolder::Open("/proc/out", tiny.Job("dpo"), false).status()),
            ExitCode::kStorage);
}

}  // namespace
}  // namespace fpo::train
