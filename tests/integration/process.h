#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fpo::testing {

// A child process of a test, in its own session; killed with its whole process group when the
// object goes. Not thread-safe.
class Process {
 public:
  // Starts `argv` with extra environment "NAME=value"; stderr goes to `log` (appended), stdout to a
  // pipe.
  Process(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
          const std::string& log);
  ~Process();
  Process(Process&&) noexcept;
  Process& operator=(Process&&) = delete;

  // The next line of stdout, or nothing at its end or after the timeout.
  std::optional<std::string> ReadLine(absl::Duration timeout);
  // Everything up to the end of stdout.
  std::string ReadAll(absl::Duration timeout);
  void Signal(int signal);
  // Exit code, 128 + signal when killed, -1 when it still runs after the timeout.
  int Wait(absl::Duration timeout);
  pid_t pid() const { return pid_; }

 private:
  bool Fill(absl::Time deadline);

  pid_t pid_ = -1;
  int stdout_ = -1;
  std::string buffer_;
  bool ended_ = false;
  std::optional<int> code_;
};

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// Runs a program to its end.
Outcome RunProgram(const std::vector<std::string>& argv,
                   const std::vector<std::string>& environment = {},
                   absl::Duration timeout = absl::Seconds(120));

std::string Environment(const char* name);  // "" when it is not set

// The bytes of a file; "" when it cannot be read.
std::string ReadFile(const std::string& path);

// Pids of live processes (no zombies) whose environment holds `text`.
std::vector<pid_t> ProcessesWith(const std::string& text);

}  // namespace fpo::testing
