#include "common/stop_signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"

namespace fpo {
namespace {

// In a process of its own: signals are process-wide. Returns the exit status of `body`.
template <typename Body>
int StatusOf(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(StopSignals, WaitReturnsTheSignalThatCame) {
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    const int status = StatusOf([signal] {
      const StopSignals signals;
      kill(getpid(), signal);
      return signals.Wait() == signal ? 0 : 1;
    });
    EXPECT_EQ(status, 0) << signal;
  }
}

TEST(StopSignals, ASecondOneEndsTheProcessAtOnce) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const int status = StatusOf([signal] {
      const StopSignals signals;
      kill(getpid(), signal);
      if (signals.Wait() != signal) return 1;
      kill(getpid(), SIGTERM);
      return 2;  // goes on
    });
    EXPECT_TRUE(WIFSIGNALED(status)) << signal;
    EXPECT_EQ(WTERMSIG(status), SIGTERM);
  }
  const int after_warning = StatusOf([] {
    const StopSignals signals;
    kill(getpid(), SIGUSR1);
    if (signals.Wait() != SIGUSR1) return 1;
    kill(getpid(), SIGTERM);  // as Slurm sends it at the end of the time
    return 0;
  });
  EXPECT_EQ(after_warning, 0);
}

TEST(StopSignals, NohupIsRespected) {
  const int status = StatusOf([] {
    std::signal(SIGHUP, SIG_IGN);
    const StopSignals signals;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    return signals.Wait() == SIGTERM ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(StopSignals, AClosedPipeDoesNotEndTheProcess) {
  const int status = StatusOf([] {
    const StopSignals signals;
    int ends[2];
    if (pipe(ends) != 0) return 2;
    close(ends[0]);
    return write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(StopSignals, AProgramThatDoesNotEndIsEnded) {
  const int stuck = StatusOf([] {
    EndProcessAfter(absl::Milliseconds(50));
    for (;;) pause();
    return 0;
  });
  EXPECT_TRUE(WIFEXITED(stuck));
  EXPECT_EQ(WEXITSTATUS(stuck), 1);
  const int in_time = StatusOf([] {
    EndProcessAfter(absl::Hours(1));
    return 7;
  });
  EXPECT_EQ(WEXITSTATUS(in_time), 7);
}

}  // namespace
}  // namespace fpo
