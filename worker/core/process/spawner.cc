#include "worker/core/process/spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

constexpr int kChildDescriptors = 5;      // 0 stdin, 1 stdout, 2 stderr, 3 events, 4 commands
constexpr int kFailureDescriptor = 5;     // carries errno until exec closes it
constexpr int kFirstSafeDescriptor = 16;  // above every number that the child assigns

// Everything the child needs after fork, made before it: only async-signal-safe calls may follow.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* folder = nullptr;
  const char* cgroup_procs = nullptr;  // null: stays where it is
  pid_t parent = 0;
  int source[kChildDescriptors] = {};
  int failure = -1;
};

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void FailChild() {
  const int error = errno;
  // Nothing can be done if even this write fails; the parent then reads an empty message.
  [[maybe_unused]] const ssize_t sent = write(kFailureDescriptor, &error, sizeof(error));
  _exit(127);
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
}

// Joins before the program runs, so that nothing it starts is outside.
void JoinCgroup(const char* procs) {
  const int fd = open(procs, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1) FailChild();
  close(fd);
}

[[noreturn]] void RunChild(const ChildPlan& plan) {
  for (int fd = 0; fd < kChildDescriptors; ++fd) dup2(plan.source[fd], fd);
  dup2(plan.failure, kFailureDescriptor);
  fcntl(kFailureDescriptor, F_SETFD, FD_CLOEXEC);
  close_range(kFailureDescriptor + 1, ~0U, 0);
  ResetSignals();
  setsid();
  // The parent may have died before this call; then the signal would never come.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != plan.parent) _exit(127);
  if (plan.cgroup_procs != nullptr) JoinCgroup(plan.cgroup_procs);
  if (chdir(plan.folder) != 0) FailChild();
  execve(plan.argv[0], plan.argv.data(), plan.environment.data());
  FailChild();
}

struct Ends {
  FileDescriptor parent;
  FileDescriptor child;
};

// Above the numbers the child assigns, so that dup2 there never overwrites a source.
absl::StatusOr<FileDescriptor> Raise(FileDescriptor fd) {
  FileDescriptor raised(fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstSafeDescriptor));
  if (!raised.is_open()) return PosixError(errno, "fcntl", "a pipe for a rank");
  return raised;
}

absl::StatusOr<Ends> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return PosixError(errno, "pipe2", "a pipe for a rank");
  Ends ends{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
  FPO_ASSIGN_OR_RETURN(ends.child, Raise(std::move(ends.child)));
  fcntl(ends.parent.get(), F_SETFL, O_NONBLOCK);
  return ends;
}

absl::StatusOr<Ends> MakeCommandSocket() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
    return PosixError(errno, "socketpair", "the commands of a rank");
  }
  Ends ends{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
  FPO_ASSIGN_OR_RETURN(ends.child, Raise(std::move(ends.child)));
  fcntl(ends.parent.get(), F_SETFL, O_NONBLOCK);
  return ends;
}

// glibc 2.36 declares pidfd_open without C linkage. The kernel sets close-on-exec.
int OpenPidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

absl::Status WaitForExec(const SpawnRequest& request, int failure) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(failure, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(error)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot run ", request.argv[0], " in ",
                                                    request.folder, ": ", std::strerror(error)));
}

absl::StatusOr<SpawnedProcess> Fork(const SpawnRequest& request) {
  FPO_ASSIGN_OR_RETURN(Ends output, MakePipe());
  FPO_ASSIGN_OR_RETURN(Ends error, MakePipe());
  FPO_ASSIGN_OR_RETURN(Ends events, MakePipe());
  FPO_ASSIGN_OR_RETURN(Ends commands, MakeCommandSocket());
  FPO_ASSIGN_OR_RETURN(Ends failure, MakePipe());
  fcntl(failure.parent.get(), F_SETFL, 0);
  FPO_ASSIGN_OR_RETURN(FileDescriptor input,
                       Raise(FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))));
  ChildPlan plan;
  plan.argv = Pointers(request.argv);
  plan.environment = Pointers(request.environment);
  plan.folder = request.folder.c_str();
  if (!request.cgroup_procs.empty()) plan.cgroup_procs = request.cgroup_procs.c_str();
  plan.parent = getpid();
  const int sources[] = {input.get(), output.child.get(), error.child.get(), events.child.get(),
                         commands.child.get()};
  std::memcpy(plan.source, sources, sizeof(sources));
  plan.failure = failure.child.get();

  const pid_t pid = fork();
  if (pid < 0) return PosixError(errno, "fork", request.argv[0]);
  if (pid == 0) RunChild(plan);
  failure.child.Close();
  SpawnedProcess process;
  process.pid = pid;
  process.pidfd = FileDescriptor(OpenPidfd(pid));
  process.output = std::move(output.parent);
  process.error = std::move(error.parent);
  process.events = std::move(events.parent);
  process.commands = std::move(commands.parent);
  absl::Status started = WaitForExec(request, failure.parent.get());
  if (started.ok() && !process.pidfd.is_open()) {
    started = PosixError(ENOSYS, "pidfd_open", request.argv[0]);
    kill(pid, SIGKILL);
  }
  if (!started.ok()) {
    siginfo_t ignored;
    waitid(P_PID, static_cast<id_t>(pid), &ignored, WEXITED);
    return started;
  }
  return process;
}

}  // namespace

struct Spawner::State {
  struct Job {
    const SpawnRequest* request = nullptr;
    std::optional<absl::StatusOr<SpawnedProcess>> result;
  };

  absl::Mutex mutex;
  std::deque<Job*> jobs ABSL_GUARDED_BY(mutex);
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::thread thread;

  void Run() {
    absl::MutexLock lock(&mutex);
    for (;;) {
      mutex.Await(absl::Condition(
          +[](State* self)
               ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->stopping || !self->jobs.empty(); },
          this));
      if (stopping) return;
      Job* const job = jobs.front();
      jobs.pop_front();
      mutex.Unlock();
      absl::StatusOr<SpawnedProcess> result = Fork(*job->request);
      mutex.Lock();
      job->result = std::move(result);
    }
  }
};

Spawner::Spawner() : state_(std::make_unique<State>()) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

Spawner::~Spawner() {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->stopping = true;
  }
  state_->thread.join();
}

absl::StatusOr<SpawnedProcess> Spawner::Spawn(const SpawnRequest& request) {
  if (request.argv.empty()) return absl::InternalError("no program to run");
  State::Job job{.request = &request, .result = std::nullopt};
  absl::MutexLock lock(&state_->mutex);
  if (state_->stopping) return absl::CancelledError("the agent is stopping");
  state_->jobs.push_back(&job);
  state_->mutex.Await(absl::Condition(
      +[](State::Job* waiting) { return waiting->result.has_value(); }, &job));
  return *std::move(job.result);
}

}  // namespace fpo::worker
