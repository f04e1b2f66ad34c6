#include "worker/core/process/cgroup.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process_fixture.h"
#include "tests/support/temp_folder.h"
#include "worker/core/process/rank_process.h"

namespace fpo::worker {
namespace {

using fpo::testing::AwaitDeath;
using fpo::testing::FakeTrainer;
using fpo::testing::IsAlive;
using fpo::testing::ReadWhole;
using fpo::testing::RecordingSink;
using fpo::testing::TempFolder;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

// A rank that starts a process in a session of its own which has forgotten where it comes from.
RankCommand Runaway(const std::string& end) {
  RankCommand command = FakeTrainer({});
  command.spawn.argv = {
      "/bin/sh", "-c",
      absl::StrCat("env -i setsid sh -c 'echo $$; exec sleep 1000' < /dev/null & ", end)};
  command.spawn.environment.push_back("PATH=/usr/bin:/bin");
  return command;
}

// Folders with the files of a cgroup, as far as they are read.
class FakeTree final : public CgroupTree {
 public:
  explicit FakeTree(std::string path) : path_(std::move(path)) {}
  absl::StatusOr<std::unique_ptr<RankCgroup>> Make(const RankIdentity&) override {
    std::filesystem::create_directories(path_);
    WriteWhole(path_ + "/cgroup.procs", "");
    WriteWhole(path_ + "/cgroup.kill", "");
    WriteWhole(path_ + "/cgroup.events", "populated 0\nfrozen 0\n");
    WriteWhole(path_ + "/memory.events", events);
    WriteWhole(path_ + "/memory.peak", "3221225472\n");
    return std::make_unique<RankCgroup>(path_);
  }
  std::string events = "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n";

 private:
  const std::string path_;
};

TEST(RankCgroupTest, ReadsTheKernelsNumbers) {
  TempFolder folder;
  RankCgroup cgroup(folder / "x");
  EXPECT_EQ(cgroup.OutOfMemoryKills(), std::nullopt) << "no memory controller";
  EXPECT_EQ(cgroup.PeakBytes(), std::nullopt);
  EXPECT_FALSE(cgroup.HasProcesses());
  std::filesystem::create_directories(folder / "x");
  WriteWhole(folder / "x/memory.events", "oom 3\noom_kill 2\noom_group_kill 7\n");
  WriteWhole(folder / "x/memory.peak", "4096\n");
  WriteWhole(folder / "x/cgroup.events", "populated 1\nfrozen 0\n");
  WriteWhole(folder / "x/cgroup.kill", "");
  EXPECT_EQ(cgroup.OutOfMemoryKills(), 2);
  EXPECT_EQ(cgroup.PeakBytes(), 4096);
  EXPECT_FALSE(cgroup.KillAll(2)) << "survivors are not waited for forever";
  EXPECT_EQ(ReadWhole(folder / "x/cgroup.kill"), "1");
}

TEST(RankCgroupTest, AnOutOfMemoryKillOfAnyMemberIsOfClassMemoryWithThePeak) {
  TempFolder folder;
  FakeTree tree(folder / "rank");
  Spawner spawner;
  RecordingSink sink;
  RankCommand command = FakeTrainer({"exit", "1"});
  command.cgroups = &tree;
  const RankExit exit = (*RankProcess::Start(spawner, command, sink))->Wait();
  EXPECT_EQ(ReadWhole(folder / "rank/cgroup.procs"), "0") << "it joined before it ran";
  EXPECT_EQ(EndClassOf(exit), EndClass::kMemory) << "the rank lost a helper and gave up";
  EXPECT_THAT(DescribeExit(exit), HasSubstr("for lack of memory, peak 3072 MiB"));
  tree.events = "oom 0\noom_kill 0\n";
  const RankExit fine = (*RankProcess::Start(spawner, command, sink))->Wait();
  EXPECT_EQ(EndClassOf(fine), EndClass::kProgram);
}

TEST(RankCgroupTest, ARankThatCannotJoinDoesNotStart) {
  TempFolder folder;
  Spawner spawner;
  SpawnRequest request = FakeTrainer({"exit", "0"}).spawn;
  request.cgroup_procs = folder / "absent";
  EXPECT_TRUE(absl::IsFailedPrecondition(spawner.Spawn(request).status()));
}

TEST(CgroupTreeTest, WhatDoesNotDoIsSaid) {
  TempFolder folder;
  CgroupTree::Options options;
  options.where = folder.path();
  EXPECT_THAT(std::string(CgroupTree::Open(options).status().message()),
              HasSubstr("is not a folder of a cgroup version 2 file system"));
  // "auto" by the files of a made-up /proc.
  options.where = "auto";
  options.proc = folder / "proc";
  std::filesystem::create_directories(folder / "proc/self");
  EXPECT_THAT(std::string(CgroupTree::Open(options).status().message()), HasSubstr("not mounted"));
  const std::string own = folder / "cg/unit";
  std::filesystem::create_directories(own);
  WriteWhole(folder / "proc/self/mountinfo",
             absl::StrCat("30 23 0:26 / ", folder / "cg", " rw - cgroup2 cgroup2 rw\n"));
  WriteWhole(folder / "proc/self/cgroup", "1:name=systemd:/\n");
  EXPECT_THAT(std::string(CgroupTree::Open(options).status().message()),
              HasSubstr("in no cgroup of version 2"));
  WriteWhole(folder / "proc/self/cgroup", "0::/unit\n");
  const absl::Status denied = CgroupTree::Open(options).status();
  EXPECT_TRUE(absl::IsUnavailable(denied)) << denied;
  EXPECT_THAT(std::string(denied.message()), HasSubstr("is not delegated"));
}

// On a cgroup file system of this machine, where it may be written.
class RealCgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      if (access((std::string(mount) + "/cgroup.controllers").c_str(), F_OK) != 0) continue;
      const std::string made = absl::StrCat(mount, "/fpo-test-", RandomId(6));
      if (mkdir(made.c_str(), 0755) == 0) path_ = made;
    }
    if (path_.empty() || access((path_ + "/cgroup.kill").c_str(), W_OK) != 0) {
      GTEST_SKIP() << "no cgroup version 2 file system that this user may write";
    }
    tree_ = *Open();
  }
  void TearDown() override {
    if (!path_.empty()) {
      EXPECT_EQ(rmdir(path_.c_str()), 0) << "a cgroup is left in " << path_;
    }
  }
  absl::StatusOr<std::unique_ptr<CgroupTree>> Open() {
    CgroupTree::Options options;
    options.where = path_;
    options.work_dir = "/work-of-test";
    return CgroupTree::Open(options);
  }
  pid_t Runner(size_t line) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (sink_.lines(LineStream::kStdout).size() <= line && absl::Now() < deadline) usleep(1000);
    int pid = 0;
    EXPECT_TRUE(absl::SimpleAtoi(sink_.lines(LineStream::kStdout).at(line), &pid));
    return pid;
  }

  std::string path_;
  std::unique_ptr<CgroupTree> tree_;
  Spawner spawner_;
  RecordingSink sink_;
};

TEST_F(RealCgroupTest, ARunawayThatForgotItsOriginDiesWithItsRank) {
  for (const char* end : {"sleep 1000", "sleep 0.2; exit 0"}) {
    RankCommand command = Runaway(end);
    command.cgroups = tree_.get();
    auto process = *RankProcess::Start(spawner_, command, sink_);
    const pid_t runner = Runner(sink_.lines(LineStream::kStdout).size());
    EXPECT_TRUE(IsAlive(runner));
    if (std::string(end) == "sleep 1000") process->Stop(absl::ZeroDuration());
    EXPECT_TRUE(process->Wait().gone);
    EXPECT_FALSE(IsAlive(runner)) << end;
  }
}

TEST_F(RealCgroupTest, WithoutOneTheSameRunawayEscapes) {
  auto process = *RankProcess::Start(spawner_, Runaway("sleep 0.2"), sink_);
  const pid_t runner = Runner(0);
  process->Wait();
  EXPECT_TRUE(IsAlive(runner)) << "else the test above proves nothing";
  kill(runner, SIGKILL);
}

TEST_F(RealCgroupTest, TheNextAgentRemovesWhatADeadOneLeft) {
  auto cgroup = *tree_->Make({{"j-1", 1, 2}, 0});
  SpawnRequest request = FakeTrainer({"hang"}).spawn;
  request.cgroup_procs = cgroup->procs_path();
  const SpawnedProcess left = *spawner_.Spawn(request);
  EXPECT_TRUE(cgroup->HasProcesses());
  cgroup.release();  // as if this agent had been killed: NOLINT
  const auto next = Open();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ((*next)->killed_at_start(), 1);
  EXPECT_TRUE(AwaitDeath(left.pid));
}

TEST_F(RealCgroupTest, AMemoryLimitNeedsTheController) {
  CgroupTree::Options options;
  options.where = path_;
  options.work_dir = "/work-of-test";
  options.memory_bytes = 1 << 30;
  const auto limited = CgroupTree::Open(options);
  if (limited.ok()) {
    const auto cgroup = *(*limited)->Make({{"j-1", 1, 2}, 0});
    EXPECT_EQ(cgroup->OutOfMemoryKills(), 0);
  } else {
    EXPECT_THAT(std::string(limited.status().message()), HasSubstr("memory controller"));
  }
}

}  // namespace
}  // namespace fpo::worker
