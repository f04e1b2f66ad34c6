#include "ctl/jobs/trainer_call.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/file_descriptor.h"
#include "common/status_macros.h"

extern char** environ;

namespace fpo::ctl {
namespace {

constexpr size_t kResultBytesMax = size_t{4} << 20;

absl::Status CannotTry(absl::string_view why) { return absl::UnavailableError(why); }

// The trainer, with one end of a socket as its standard input and output. Killed with the object.
class TrainerCall {
 public:
  ~TrainerCall() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  absl::Status Start(const std::string& trainer, std::vector<std::string> words) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return CannotTry(std::strerror(errno));
    }
    socket_ = FileDescriptor(ends[0]);
    const FileDescriptor theirs(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    words.insert(words.begin(), trainer);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int error = posix_spawn(&pid_, trainer.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return absl::OkStatus();
    pid_ = -1;
    return CannotTry(absl::StrCat(trainer, ": ", std::strerror(error)));
  }

  absl::StatusOr<std::string> Exchange(absl::string_view input, absl::Time deadline) {
    while (!input.empty()) {
      FPO_RETURN_IF_ERROR(Wait(POLLOUT, deadline));
      const ssize_t sent =
          send(socket_.get(), input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) break;  // it has ended
      if (sent > 0) input.remove_prefix(static_cast<size_t>(sent));
    }
    shutdown(socket_.get(), SHUT_WR);
    std::string result;
    char bytes[1 << 14];
    while (true) {
      FPO_RETURN_IF_ERROR(Wait(POLLIN, deadline));
      const ssize_t got = recv(socket_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno == ECONNRESET)) return result;
      if (got < 0 && errno != EAGAIN && errno != EINTR) return CannotTry(std::strerror(errno));
      if (got > 0) result.append(bytes, static_cast<size_t>(got));
      if (result.size() > kResultBytesMax) return CannotTry("it said too much");
    }
  }

 private:
  absl::Status Wait(short events, absl::Time deadline) const {
    while (true) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - BootNow());
      if (left <= 0) return CannotTry("it took too long");
      pollfd entry{socket_.get(), events, 0};
      const int ready = poll(&entry, 1, static_cast<int>(left));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return CannotTry(std::strerror(errno));
    }
  }

  FileDescriptor socket_;
  pid_t pid_ = -1;
};

}  // namespace

absl::StatusOr<std::string> CallTrainer(const std::string& trainer,
                                        const std::vector<std::string>& words,
                                        absl::string_view input, absl::Duration timeout) {
  TrainerCall call;
  FPO_RETURN_IF_ERROR(call.Start(trainer, words));
  FPO_ASSIGN_OR_RETURN(const std::string result, call.Exchange(input, BootNow() + timeout));
  return std::string(absl::StripAsciiWhitespace(result));
}

}  // namespace fpo::ctl
