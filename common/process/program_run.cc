#include "common/process/program_run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/process/spawn_settings.h"
#include "common/status_macros.h"

extern char** environ;

namespace fpo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);  // at a request to stop
constexpr size_t kPiece = size_t{64} << 10;

// A program that runs, with our ends of its streams. Killed and reaped at the latest with this.
class Child {
 public:
  absl::Status Start(const ProgramRun& run);
  ~Child() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    Reap();
  }
  // Waits a moment and moves what can be moved. True: it has ended, and its outputs are read.
  absl::StatusOr<bool> Turn(const ProgramRun& run, absl::Duration patience);
  ProgramEnd Take();

 private:
  int Reap() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }
  void Write(const std::string& input);
  // ResourceExhausted: more than the limit.
  absl::Status Read(int stream, size_t bytes_max);

  pid_t pid_ = -1;
  FileDescriptor ended_;
  std::array<FileDescriptor, 3> streams_;
  std::array<std::string, 2> outputs_;
  size_t written_ = 0;
};

absl::Status Child::Start(const ProgramRun& run) {
  std::array<FileDescriptor, 3> theirs;
  for (size_t i = 0; i < 3; ++i) {
    std::array<int, 2> ends{};
    // A socket for the input: a program that does not read it then costs no SIGPIPE.
    const int failed = i == 0 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data())
                              : pipe2(ends.data(), O_CLOEXEC);
    if (failed != 0) return PosixError(errno, "make a pipe to", run.argv[0]);
    streams_[i] = FileDescriptor(ends[0]);
    theirs[i] = FileDescriptor(ends[1]);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return PosixError(errno, "fcntl", run.argv[0]);
  }
  const SpawnSettings settings({theirs[0].get(), theirs[1].get(), theirs[2].get()});
  std::vector<std::string> words = run.argv;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const int failed =
      posix_spawnp(&pid_, argv[0], settings.actions(), settings.attributes(), argv.data(), environ);
  if (failed != 0) {
    pid_ = -1;
    return PosixError(failed, "start", run.argv[0]);
  }
  ended_ = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (ended_.get() < 0) return PosixError(errno, "pidfd_open", run.argv[0]);
  return absl::OkStatus();
}

void Child::Write(const std::string& input) {
  if (streams_[0].get() < 0) return;
  const size_t left = input.size() - written_;
  const ssize_t sent = left == 0 ? 0
                                 : send(streams_[0].get(), input.data() + written_, left,
                                        MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) written_ += static_cast<size_t>(sent);
  const bool gone = sent < 0 && errno != EAGAIN && errno != EINTR;
  if (gone || written_ == input.size()) streams_[0].Close();
}

absl::Status Child::Read(int stream, size_t bytes_max) {
  const auto index = static_cast<size_t>(stream);
  FileDescriptor& from = streams_[index];
  std::string& output = outputs_[index - 1];
  std::string piece(kPiece, 0);
  while (from.get() >= 0) {
    const ssize_t got = read(from.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return absl::OkStatus();
    if (got <= 0) {
      from.Close();
      break;
    }
    output.append(piece, 0, static_cast<size_t>(got));
    if (output.size() > bytes_max) {
      return absl::ResourceExhaustedError(absl::StrCat("wrote more than ", bytes_max, " bytes"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Child::Turn(const ProgramRun& run, absl::Duration patience) {
  std::array<pollfd, 4> polled = {{{streams_[0].get(), POLLOUT, 0},
                                   {streams_[1].get(), POLLIN, 0},
                                   {streams_[2].get(), POLLIN, 0},
                                   {ended_.get(), POLLIN, 0}}};
  const int ready =
      poll(polled.data(), polled.size(), static_cast<int>(absl::ToInt64Milliseconds(patience)) + 1);
  if (ready < 0 && errno != EINTR) return PosixError(errno, "poll", run.argv[0]);
  if (ready <= 0) return false;
  if (polled[0].revents != 0) Write(run.input);
  for (const int stream : {1, 2}) FPO_RETURN_IF_ERROR(Read(stream, run.output_bytes_max));
  return polled[3].revents != 0;
}

ProgramEnd Child::Take() {
  ProgramEnd end;
  const int status = Reap();
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.out = std::move(outputs_[0]);
  end.err = std::move(outputs_[1]);
  return end;
}

}  // namespace

absl::StatusOr<ProgramEnd> RunProgram(const ProgramRun& run) {
  if (run.argv.empty()) return absl::InvalidArgumentError("no program is named");
  const absl::Time deadline = BootNow() + run.answer_time;
  Child child;
  FPO_RETURN_IF_ERROR(child.Start(run));
  while (true) {
    const absl::Duration left = deadline - BootNow();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat(run.argv[0], " did not end within ", absl::FormatDuration(run.answer_time)));
    }
    if (run.is_stopped()) return absl::CancelledError(absl::StrCat(run.argv[0], " was stopped"));
    const absl::StatusOr<bool> ended = child.Turn(run, std::min(left, kLook));
    if (!ended.ok()) {
      return absl::Status(ended.status().code(),
                          absl::StrCat(run.argv[0], ": ", ended.status().message()));
    }
    if (*ended) return child.Take();
  }
}

}  // namespace fpo
