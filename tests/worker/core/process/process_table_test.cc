#include "worker/core/process/process_table.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

// A child in its own process group that runs `sleep` with one more environment variable.
class ProcessTableTest : public ::testing::Test {
 protected:
  ProcessTableTest() : mark_("FPO_TEST_MARK=" + RandomId(8)) {
    std::string mark = mark_;
    char* argv[] = {const_cast<char*>("sleep"), const_cast<char*>("60"), nullptr};
    char* environment[] = {mark.data(), nullptr};
    int ready[2];
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      setpgid(0, 0);
      execve("/bin/sleep", argv, environment);
      _exit(127);
    }
    close(ready[1]);
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 0);  // exec closed the other end
    close(ready[0]);
  }
  ~ProcessTableTest() override {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }

  const std::string mark_;
  pid_t child_ = -1;
};

TEST_F(ProcessTableTest, FindsByGroupAndByEnvironment) {
  EXPECT_THAT(FindProcesses({.group = child_, .environment = {}}), ::testing::ElementsAre(child_));
  EXPECT_THAT(FindProcesses({.group = 0, .environment = {mark_}}), ::testing::ElementsAre(child_));
  EXPECT_TRUE(FindProcesses({.group = 0, .environment = {mark_, "OTHER=1"}}).empty());
  EXPECT_TRUE(
      FindProcesses({.group = 0, .environment = {mark_.substr(0, mark_.size() - 1)}}).empty())
      << "a prefix of a value is another value";
  EXPECT_TRUE(FindProcesses({}).empty());
}

TEST_F(ProcessTableTest, KillsAndDoesNotCountZombies) {
  ASSERT_TRUE(ProcessStartTime(child_).has_value());
  EXPECT_TRUE(KillProcesses({.group = 0, .environment = {mark_}}, 500).empty());
  EXPECT_FALSE(ProcessStartTime(child_).has_value()) << "not reaped, but dead";
}

TEST(ProcessTableFactsTest, KnowsItselfAndNobodyElse) {
  EXPECT_EQ(ProcessStartTime(getpid()), ProcessStartTime(getpid()));
  EXPECT_FALSE(ProcessStartTime(0x7ffffff0).has_value());
  EXPECT_GE(OutOfMemoryKills(), 0);
}

}  // namespace
}  // namespace fpo::worker
