#include "common/process/spawn_settings.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "gtest/gtest.h"

namespace fpo {
namespace {

// Its group is its own, a signal that is ignored here kills it, and descriptor 3 and up are closed.
TEST(SpawnSettings, AChildHasNothingOfThisProcess) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);  // without close-on-exec
  signal(SIGUSR2, SIG_IGN);
  const SpawnSettings settings({.in = ends[0], .out = ends[1]});
  std::string shell = "/bin/sh", flag = "-c",
              text = "ls /proc/self/fd | wc -l; kill -USR2 $$; echo alive";
  char* words[] = {shell.data(), flag.data(), text.data(), nullptr};
  pid_t child = 0;
  ASSERT_EQ(
      posix_spawn(&child, "/bin/sh", settings.actions(), settings.attributes(), words, environ), 0);
  EXPECT_TRUE(getpgid(child) == child || getpgid(child) == -1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  signal(SIGUSR2, SIG_DFL);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2) << status;
  close(ends[1]);
  char bytes[64];
  const ssize_t got = read(ends[0], bytes, sizeof(bytes));
  close(ends[0]);
  ASSERT_GT(got, 0);
  // 0 to 2, and the folder that ls reads.
  EXPECT_EQ(std::string(bytes, static_cast<size_t>(got)), "4\n");
}

}  // namespace
}  // namespace fpo
