#include "ctl/jobs/input_trial.h"

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

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/file_descriptor.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"

extern char** environ;

namespace fpo::ctl {
namespace {

constexpr size_t kResultBytesMax = size_t{4} << 20;

absl::Status CannotTry(absl::string_view why) { return absl::UnavailableError(why); }

// The trainer, with one end of a socket as its standard input and output. Killed with the object.
class Trial {
 public:
  ~Trial() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  absl::Status Start(const std::string& trainer) {
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
    std::string words[] = {trainer,   "prepare", "--job",    "-",
                           "--check", "--json",  "--device", "cpu"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int error = posix_spawn(&pid_, trainer.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return absl::OkStatus();
    pid_ = -1;
    return CannotTry(absl::StrCat(trainer, ": ", std::strerror(error)));
  }

  absl::StatusOr<std::string> Exchange(absl::string_view job, absl::Time deadline) {
    while (!job.empty()) {
      FPO_RETURN_IF_ERROR(Wait(POLLOUT, deadline));
      const ssize_t sent = send(socket_.get(), job.data(), job.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) break;  // it has ended
      if (sent > 0) job.remove_prefix(static_cast<size_t>(sent));
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

absl::StatusOr<InputCheck> TryInputs(const std::string& trainer, const JobConfig& config,
                                     absl::Duration timeout) {
  Trial trial;
  FPO_RETURN_IF_ERROR(trial.Start(trainer));
  FPO_ASSIGN_OR_RETURN(const std::string result,
                       trial.Exchange(WriteJobJson(config), BootNow() + timeout));
  absl::StatusOr<InputCheck> check = ParseInputCheck(absl::StripAsciiWhitespace(result));
  if (check.ok()) return check;
  return CannotTry(absl::StrCat(trainer, " gave no result"));
}

}  // namespace fpo::ctl
