#include "tests/integration/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/time/clock.h"

namespace fpo::testing {
namespace {

std::string ContentsOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

[[noreturn]] void Exec(const std::vector<std::string>& argv,
                       const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    const size_t equals = entry.find('=');
    setenv(entry.substr(0, equals).c_str(), entry.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                 const std::string& log) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    setsid();
    const int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(pipe_ends[1], 1);
    dup2(log_fd, 2);
    Exec(argv, environment);
  }
  close(pipe_ends[1]);
  stdout_ = pipe_ends[0];
}

Process::Process(Process&& other) noexcept
    : pid_(other.pid_),
      stdout_(other.stdout_),
      buffer_(std::move(other.buffer_)),
      ended_(other.ended_),
      code_(other.code_) {
  other.pid_ = -1;
  other.stdout_ = -1;
}

Process::~Process() {
  if (pid_ > 0 && !code_.has_value()) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (stdout_ >= 0) close(stdout_);
}

bool Process::Fill(absl::Time deadline) {
  if (ended_) return false;
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  pollfd poll_fd{stdout_, POLLIN, 0};
  if (left <= 0 || poll(&poll_fd, 1, static_cast<int>(left)) <= 0) return false;
  char bytes[4096];
  const ssize_t got = read(stdout_, bytes, sizeof(bytes));
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  buffer_.append(bytes, static_cast<size_t>(got));
  return true;
}

std::optional<std::string> Process::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos) {
    if (!Fill(deadline)) return std::nullopt;
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

std::string Process::ReadAll(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (Fill(deadline)) {
  }
  return std::exchange(buffer_, "");
}

void Process::Signal(int signal) { kill(pid_, signal); }

int Process::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!code_.has_value()) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else if (absl::Now() > deadline) {
      return -1;
    } else {
      poll(nullptr, 0, 5);
    }
  }
  return *code_;
}

Outcome RunProgram(const std::vector<std::string>& argv,
                   const std::vector<std::string>& environment, absl::Duration timeout) {
  char err_path[] = "/tmp/fpo-stderr-XXXXXX";
  close(mkstemp(err_path));
  Outcome outcome;
  {
    Process process(argv, environment, err_path);
    outcome.out = process.ReadAll(timeout);
    outcome.code = process.Wait(timeout);
  }
  outcome.err = ContentsOf(err_path);
  unlink(err_path);
  return outcome;
}

std::vector<pid_t> ProcessesWith(const std::string& text) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), ::isdigit)) continue;
    if (ContentsOf(entry.path() / "environ").find(text) == std::string::npos) continue;
    const std::string stat = ContentsOf(entry.path() / "stat");
    const size_t paren = stat.rfind(')');
    if (paren != std::string::npos && paren + 2 < stat.size() && stat[paren + 2] != 'Z') {
      found.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return found;
}

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace fpo::testing
