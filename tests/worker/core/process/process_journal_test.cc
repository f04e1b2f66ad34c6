#include "worker/core/process/process_journal.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_fixture.h"
#include "tests/support/temp_folder.h"

namespace fpo::worker {
namespace {

using fpo::testing::FakeTrainer;
using fpo::testing::IsAlive;
using fpo::testing::TempFolder;

// A process that outlives its agent, as after a bug of the kernel's parent-death signal.
pid_t StartOrphan(const RankCommand& command) {
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    std::vector<std::string> environment = command.spawn.environment;
    std::vector<char*> pointers;
    for (std::string& entry : environment) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    char* argv[] = {const_cast<char*>("sleep"), const_cast<char*>("60"), nullptr};
    execve("/bin/sleep", argv, pointers.data());
    _exit(127);
  }
  return pid;
}

TEST(ProcessJournalTest, TheNextAgentKillsLeftovers) {
  TempFolder work;
  const RankCommand command = FakeTrainer({});
  const pid_t orphan = StartOrphan(command);
  {
    auto journal = ProcessJournal::Open(work.path());
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_EQ((*journal)->killed_at_start(), 0);
    ASSERT_TRUE((*journal)->Add(orphan, command.identity).ok());
  }
  EXPECT_TRUE(IsAlive(orphan));
  auto next = ProcessJournal::Open(work.path());
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->killed_at_start(), 1);
  EXPECT_FALSE(IsAlive(orphan));
  waitpid(orphan, nullptr, 0);
}

TEST(ProcessJournalTest, AReusedPidIsLeftAlone) {
  TempFolder work;
  const RankCommand stranger = FakeTrainer({});
  const pid_t pid = StartOrphan(stranger);
  fpo::testing::WriteWhole(
      work / "processes.json",
      absl::StrCat("[{\"pid\":", pid,
                   ",\"start_time\":1,\"job\":\"old\",\"attempt\":1,\"epoch\":1,\"rank\":0}]"));
  auto journal = ProcessJournal::Open(work.path());
  ASSERT_TRUE(journal.ok());
  EXPECT_EQ((*journal)->killed_at_start(), 0);
  EXPECT_TRUE(IsAlive(pid));
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

TEST(ProcessJournalTest, WhatEndedIsNotLookedFor) {
  TempFolder work;
  const RankCommand command = FakeTrainer({});
  const pid_t orphan = StartOrphan(command);
  {
    auto journal = ProcessJournal::Open(work.path());
    ASSERT_TRUE((*journal)->Add(orphan, command.identity).ok());
    (*journal)->Remove(orphan);
  }
  auto next = ProcessJournal::Open(work.path());
  EXPECT_EQ((*next)->killed_at_start(), 0);
  kill(orphan, SIGKILL);
  waitpid(orphan, nullptr, 0);
}

TEST(ProcessJournalTest, AFolderHasOneAgent) {
  TempFolder work;
  auto first = ProcessJournal::Open(work.path());
  ASSERT_TRUE(first.ok());
  const auto second = ProcessJournal::Open(work.path());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), ::testing::HasSubstr(work.path()));
  first->reset();
  EXPECT_TRUE(ProcessJournal::Open(work.path()).ok());
}

TEST(ProcessJournalTest, ATornListIsNoReasonNotToStart) {
  TempFolder work;
  fpo::testing::WriteWhole(work / "processes.json", "[{\"pid\": 1");
  EXPECT_TRUE(ProcessJournal::Open(work.path()).ok());
}

}  // namespace
}  // namespace fpo::worker
