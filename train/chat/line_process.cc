#include "train/chat/line_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/posix_status.h"
#include "common/process/spawn_settings.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

std::vector<char*> Pointers(std::vector<std::string>* words) {
  std::vector<char*> pointers;
  for (std::string& word : *words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

LineProcess::LineProcess(FileDescriptor socket, pid_t pid)
    : socket_(std::move(socket)), pid_(pid) {}
LineProcess::LineProcess(LineProcess&& other) noexcept
    : socket_(std::move(other.socket_)), pid_(std::exchange(other.pid_, -1)) {}
LineProcess& LineProcess::operator=(LineProcess&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(pid_, other.pid_);
  return *this;
}

LineProcess::~LineProcess() {
  if (pid_ <= 0) return;
  socket_.Close();
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::StatusOr<LineProcess> LineProcess::Start(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return PosixError(errno, "socketpair", argv[0]);
  }
  FileDescriptor ours(ends[0]), theirs(ends[1]);
  const SpawnSettings settings({theirs.get(), theirs.get()});
  std::vector<std::string> words = argv, environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, argv[0].c_str(), settings.actions(), settings.attributes(),
                                  Pointers(&words).data(), Pointers(&environment).data());
  if (failed != 0) return PosixError(failed, "start", argv[0]);
  return LineProcess(std::move(ours), pid);
}

absl::Status LineProcess::Wait(short events, absl::Time deadline) const {
  while (true) {
    const absl::Duration left = deadline - BootNow();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("no response in time");
    pollfd poll_one{socket_.get(), events, 0};
    const int ready = poll(&poll_one, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return PosixError(errno, "poll", "a child process");
  }
}

absl::Status LineProcess::Send(absl::string_view bytes, absl::Time deadline) const {
  while (!bytes.empty()) {
    FPO_RETURN_IF_ERROR(Wait(POLLOUT, deadline));
    const ssize_t sent =
        send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) return absl::UnavailableError("the process has ended");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> LineProcess::Exchange(absl::string_view line, absl::Duration timeout,
                                                  size_t bytes_max) {
  const absl::Time deadline = BootNow() + timeout;
  FPO_RETURN_IF_ERROR(Send(line, deadline));
  FPO_RETURN_IF_ERROR(Send("\n", deadline));
  std::string response;
  std::vector<char> buffer(size_t{1} << 16);
  while (response.empty() || response.back() != '\n') {
    FPO_RETURN_IF_ERROR(Wait(POLLIN, deadline));
    const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return absl::UnavailableError("the process has ended");
    response.append(buffer.data(), static_cast<size_t>(got));
    if (response.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a response of more than ", bytes_max, " bytes"));
    }
  }
  response.pop_back();
  return response;
}

}  // namespace fpo::train
