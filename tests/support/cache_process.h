#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"

namespace fpo::testing {

// One fpo-cache process; killed and reaped with the object. Not thread-safe.
class CacheProcess {
 public:
  // Both outputs go to `log`, appended.
  CacheProcess(const std::string& program, std::vector<std::string> args, const std::string& log) {
    args.insert(args.begin(), program);
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int fd : {1, 2}) {
      posix_spawn_file_actions_addopen(&actions, fd, log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       0600);
    }
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~CacheProcess() {
    if (pid_ > 0) Stop(SIGKILL);
  }
  CacheProcess(const CacheProcess&) = delete;
  CacheProcess& operator=(const CacheProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Sends the signal (0: none) and waits; the exit code, or minus the signal it died of.
  int Stop(int signal) {
    if (pid_ < 0) return end_;
    if (signal != 0) kill(pid_, signal);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return end_ = EndOf(status);
  }
  bool Exited() {
    int status = 0;
    if (pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      end_ = EndOf(status);
    }
    return pid_ < 0;
  }
  // Its gRPC address once it listens; "" when it ended before, or after 30 s.
  std::string AwaitAddress(const std::string& port_file) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      const std::string ports = ReadWhole(port_file);
      if (!ports.empty()) {
        const size_t begin = ports.find("127.");
        return ports.substr(begin, ports.find('"', begin) - begin);
      }
      if (Exited()) return "";
      poll(nullptr, 0, 1);
    }
    return "";
  }

 private:
  static int EndOf(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  pid_t pid_ = -1;
  int end_ = 0;
};

}  // namespace fpo::testing
