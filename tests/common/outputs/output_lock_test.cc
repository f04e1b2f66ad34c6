#include "common/outputs/output_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/outputs/publish.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using fpo::testing::ReadWhole;
using fpo::testing::WriteWhole;
using ::testing::HasSubstr;

class OutputLockTest : public ::testing::Test {
 protected:
  static std::unique_ptr<OutputLock> TakeOk(const std::string& folder, const std::string& attempt) {
    auto lock = OutputLock::Take(folder, HolderOf(attempt));
    EXPECT_TRUE(lock.ok()) << lock.status();
    return lock.ok() ? *std::move(lock) : nullptr;
  }
  std::string out() const { return folder_ / "out"; }
  fpo::testing::TempFolder folder_;
};

TEST_F(OutputLockTest, TheLockSaysWhoHasTheFolder) {
  const std::unique_ptr<OutputLock> lock = TakeOk(out(), "j-1/2/5");
  EXPECT_TRUE(lock->Check().ok());
  EXPECT_TRUE(IsOutputLocked(out()));
  const OutputHolder holder = LastHolderOf(out()).value();
  EXPECT_EQ(holder.job_id, "j-1");
  EXPECT_EQ(holder.attempt, 2);
  EXPECT_EQ(holder.epoch, 5u);
  EXPECT_EQ(holder.pid, getpid());
  EXPECT_THAT(holder.Describe(), HasSubstr("attempt 2 (epoch 5) of job j-1, process "));
  EXPECT_EQ(BuildingPath(out() + "/model"), out() + "/model.tmp-a2-e5");
}

TEST_F(OutputLockTest, ALiveRunKeepsOutEveryOtherJob) {
  const std::unique_ptr<OutputLock> lock = TakeOk(out(), "j-1/1/9");
  for (const char* other : {"j-2/1/100", ""}) {
    const absl::Status refused = OutputLock::Take(out(), HolderOf(other)).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << other;
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("in use by attempt 1 (epoch 9) of job j-1"));
  }
  EXPECT_TRUE(lock->Check().ok()) << "a refused one leaves no trace";
}

TEST_F(OutputLockTest, ARunByHandKeepsOutASecondOne) {
  const std::unique_ptr<OutputLock> lock = TakeOk(out(), "");
  EXPECT_THAT(std::string(OutputLock::Take(out(), HolderOf("")).status().message()),
              HasSubstr("a run started by hand"));
}

TEST_F(OutputLockTest, AnEndedRunLeavesTheFolderToTheNext) {
  TakeOk(out(), "j-1/1/9").reset();
  EXPECT_FALSE(IsOutputLocked(out()));
  EXPECT_NE(TakeOk(out(), "j-2/1/1"), nullptr);
  EXPECT_NE(TakeOk(out(), ""), nullptr);
}

TEST_F(OutputLockTest, TheHigherEpochOfAJobWins) {
  const std::unique_ptr<OutputLock> old = TakeOk(out(), "j-1/1/1");
  const std::string building = BuildingPath(out() + "/model");
  fs::create_directories(building);
  const std::unique_ptr<OutputLock> fresh = TakeOk(out(), "j-1/2/2");
  EXPECT_THAT(std::string(old->Check().message()), HasSubstr("it belongs to attempt 2 (epoch 2)"));
  EXPECT_FALSE(fs::exists(building)) << "the name was taken from under the old one";
  EXPECT_TRUE(fresh->Check().ok());
  EXPECT_TRUE(IsOutputLocked(out()));
}

TEST_F(OutputLockTest, ALowerEpochIsRefusedForEver) {
  TakeOk(out(), "j-1/2/2").reset();
  const std::string before = ReadWhole(out() + "/.lock");
  EXPECT_FALSE(OutputLock::Take(out(), HolderOf("j-1/1/1")).ok());
  EXPECT_EQ(ReadWhole(out() + "/.lock"), before);
  EXPECT_NE(TakeOk(out(), "j-1/2/2"), nullptr) << "the attempt itself, when its process is gone";
}

TEST_F(OutputLockTest, ARemovedOrDamagedLockEndsTheRunAndNotTheFolder) {
  const std::unique_ptr<OutputLock> lock = TakeOk(out(), "j-1/1/1");
  WriteWhole(out() + "/.lock", "{");
  EXPECT_FALSE(lock->Check().ok());
  EXPECT_FALSE(WriteFileAtomically(out() + "/run.json", "{}").ok());
  EXPECT_NE(TakeOk(out(), "j-2/1/1"), nullptr);
}

TEST_F(OutputLockTest, OnlyWhatIsBeingBuiltIsSwept) {
  for (const char* name :
       {"model.tmp-a1-e1", "checkpoints/step-4.tmp", "checkpoints/step-2.old-a1-e1",
        "checkpoints/step-8", "model", "exports/step-4.tmp-p1"}) {
    fs::create_directories(out() + "/" + name);
  }
  WriteWhole(out() + "/run.json.00ff.tmp", "x");
  WriteWhole(out() + "/.writable-12.00ff.tmp", "x");
  const std::unique_ptr<OutputLock> lock = TakeOk(out(), "j-1/2/2");
  int left = 0;
  for (const auto& entry : fs::recursive_directory_iterator(out())) {
    const std::string name = entry.path().filename().string();
    left += absl::StrContains(name, ".tmp") || absl::StrContains(name, ".old");
  }
  EXPECT_EQ(left, 2) << "another rank's probe, and what the agent exports";
  EXPECT_TRUE(fs::exists(out() + "/checkpoints/step-8"));
  EXPECT_TRUE(fs::exists(out() + "/model"));
}

TEST_F(OutputLockTest, OfManyAtOnceOneGetsTheFolder) {
  fs::create_directories(out());
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  int result[2];
  ASSERT_EQ(pipe(result), 0);
  constexpr int kProcesses = 8;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    char go = 0;
    close(gate[1]);
    (void)!read(gate[0], &go, 1);  // ends for all at once
    const auto lock = OutputLock::Take(out(), HolderOf(absl::StrCat("j-", i, "/1/1")));
    const char got = lock.ok() && (*lock)->Check().ok() ? 'y' : 'n';
    (void)!write(result[1], &got, 1);
    pause();  // keeps the lock until it is killed
    _exit(0);
  }
  close(gate[0]);
  close(gate[1]);
  int winners = 0;
  for (int i = 0; i < kProcesses; ++i) {
    char got = 0;
    ASSERT_EQ(read(result[0], &got, 1), 1);
    winners += got == 'y';
  }
  EXPECT_EQ(winners, 1);
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
}

TEST(HolderOf, ReadsTheAgentsVariable) {
  EXPECT_EQ(HolderOf("j-1/2/3").job_id, "j-1");
  for (const char* none : {"", "j-1", "j-1/2", "j-1/x/3", "j-1/1/2/3"}) {
    EXPECT_EQ(HolderOf(none).job_id, "") << none;
  }
}

}  // namespace
}  // namespace fpo
