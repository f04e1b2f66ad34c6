#include "common/files/open_files.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(OpenFiles, ALowSoftLimitIsRaisedToTheHardOne) {
  const pid_t child = fork();  // limits are of a process
  if (child == 0) {
    const rlimit low{64, 512};
    if (setrlimit(RLIMIT_NOFILE, &low) != 0) _exit(2);
    const int64_t limit = RaiseOpenFilesLimit();
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    _exit(limit == 512 && now.rlim_cur == 512 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(OpenFiles, ALowLimitLeavesHalfToOthers) {
  EXPECT_EQ(MaxOpenTables(1 << 20), -1);
  EXPECT_EQ(MaxOpenTables(1024), 512);
  EXPECT_EQ(MaxOpenTables(30), 20);
  for (const int64_t limit : {256, 1024, 4096, 20'000}) {
    EXPECT_LE(MaxOpenTables(limit) + MaxConnections(limit), limit - 64) << limit;
  }
  EXPECT_EQ(MaxConnections(256), 64);
  EXPECT_EQ(MaxConnections(1024), 384);
  EXPECT_EQ(MaxConnections(1 << 20), 16384);
}

}  // namespace
}  // namespace fpo
