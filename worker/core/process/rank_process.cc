#include "worker/core/process/rank_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"
#include "worker/core/process/line_splitter.h"
#include "worker/core/process/process_table.h"

namespace fpo::worker {
namespace {

// Time for other holders of an ended rank's pipes to finish their last lines.
constexpr absl::Duration kDrainTime = absl::Seconds(2);
constexpr absl::Duration kSendTime = absl::Seconds(10);
constexpr char kContinues[] = " [line continues]";

}  // namespace

struct RankProcess::Stream {
  FileDescriptor* fd;
  std::optional<LineStream> name;  // none: events
  LineSplitter lines{kLineBytesMax - sizeof(kContinues)};
};

RankProcess::RankProcess(const RankCommand& command, Started started, RankSink& sink)
    : identity_(command.identity),
      death_time_(command.death_time),
      oom_kills_before_(OutOfMemoryKills()),
      sink_(sink),
      process_(std::move(started.process)),
      cgroup_(std::move(started.cgroup)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

absl::StatusOr<std::unique_ptr<RankProcess>> RankProcess::Start(Spawner& spawner,
                                                                const RankCommand& command,
                                                                RankSink& sink) {
  Started started;
  SpawnRequest spawn = command.spawn;
  if (command.cgroups != nullptr) {
    FPO_ASSIGN_OR_RETURN(started.cgroup, command.cgroups->Make(command.identity));
    spawn.cgroup_procs = started.cgroup->procs_path();
  }
  FPO_ASSIGN_OR_RETURN(started.process, spawner.Spawn(spawn));
  std::unique_ptr<RankProcess> rank(new RankProcess(command, std::move(started), sink));
  rank->thread_ = std::thread([raw = rank.get()] { raw->Run(); });
  return rank;
}

RankProcess::~RankProcess() {
  Stop(absl::ZeroDuration());
  thread_.join();
}

absl::Status RankProcess::Send(const TrainCommand& command) {
  const std::string line = EncodeCommand(command) + "\n";
  const absl::Time deadline = BootNow() + kSendTime;
  absl::MutexLock lock(&send_mutex_);
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t n = send(process_.commands.get(), line.data() + sent, line.size() - sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<size_t>(n);
      continue;
    }
    const int64_t left_ms = absl::ToInt64Milliseconds(deadline - BootNow());
    const bool is_full = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n < 0 && errno == EINTR) continue;
    if (!is_full || left_ms <= 0) {
      return PosixError(is_full ? ETIMEDOUT : errno, "send",
                        absl::StrCat("a command to process ", process_.pid));
    }
    pollfd writable{process_.commands.get(), POLLOUT, 0};
    poll(&writable, 1, static_cast<int>(left_ms));
  }
  return absl::OkStatus();
}

void RankProcess::Stop(absl::Duration grace) {
  absl::MutexLock lock(&mutex_);
  if (exited_) return;
  exit_.stopped = true;
  const absl::Time kill_at = BootNow() + grace;
  if (kill_at_ == absl::InfiniteFuture() && grace > absl::ZeroDuration()) {
    kill(-process_.pid, SIGTERM);
  }
  kill_at_ = std::min(kill_at_, kill_at);
  eventfd_write(wake_.get(), 1);
}

RankExit RankProcess::Wait() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&done_));
  return exit_;
}

bool RankProcess::WaitFor(absl::Duration patience, RankExit* exit) {
  absl::MutexLock lock(&mutex_);
  if (!AwaitFor(&mutex_, absl::Condition(&done_), patience)) return false;
  *exit = exit_;
  return true;
}

void RankProcess::Run() {
  std::vector<Stream> streams;
  streams.push_back({.fd = &process_.output, .name = LineStream::kStdout});
  streams.push_back({.fd = &process_.error, .name = LineStream::kStderr});
  streams.push_back({.fd = &process_.events, .name = {}});
  for (;;) {
    PollOnce(&streams);
    const bool open = std::any_of(streams.begin(), streams.end(),
                                  [](const Stream& stream) { return stream.fd->is_open(); });
    absl::MutexLock lock(&mutex_);
    const absl::Time now = BootNow();
    if (!exited_ && now >= kill_at_) {
      Kill();
      kill_at_ = absl::InfiniteFuture();
      give_up_at_ = now + death_time_;
    }
    if (!exited_ && now >= give_up_at_) {
      exit_.ended = false;
      break;
    }
    if (exited_ && (!open || now >= drain_until_)) break;
  }
  for (Stream& stream : streams) {
    stream.lines.Finish(
        [&](std::string line, bool) { sink_.OnLine(identity_.rank, *stream.name, line); });
    stream.fd->Close();
  }
  CleanUp();
}

absl::Duration RankProcess::TimeToNextDeadline() {
  absl::MutexLock lock(&mutex_);
  const absl::Time next = exited_ ? drain_until_ : std::min(kill_at_, give_up_at_);
  return std::clamp(next - BootNow(), absl::ZeroDuration(), absl::Minutes(1));
}

void RankProcess::PollOnce(std::vector<Stream>* streams) {
  bool exited = false;
  {
    absl::MutexLock lock(&mutex_);
    exited = exited_;
  }
  std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0},
                                 {exited ? -1 : process_.pidfd.get(), POLLIN, 0}};
  for (const Stream& stream : *streams) waiting.push_back({stream.fd->get(), POLLIN, 0});
  const int64_t timeout_ms = absl::ToInt64Milliseconds(TimeToNextDeadline()) + 1;
  if (poll(waiting.data(), waiting.size(), static_cast<int>(timeout_ms)) <= 0) return;
  eventfd_t count = 0;
  if (waiting[0].revents != 0) eventfd_read(wake_.get(), &count);
  for (size_t i = 0; i < streams->size(); ++i) {
    if (waiting[i + 2].revents != 0) Read(&(*streams)[i]);
  }
  if (waiting[1].revents != 0) OnExit();
}

void RankProcess::Read(Stream* stream) {
  char bytes[65536];
  const ssize_t got = read(stream->fd->get(), bytes, sizeof(bytes));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return stream->fd->Close();
  const absl::string_view read_bytes(bytes, static_cast<size_t>(got));
  if (!stream->name) {
    events_.Feed(read_bytes, [&](const TrainEvent& event, const std::string& json) {
      sink_.OnEvent(identity_.rank, event, json);
    });
    return;
  }
  stream->lines.Feed(read_bytes, [&](std::string line, bool continues) {
    if (continues) line += kContinues;
    sink_.OnLine(identity_.rank, *stream->name, line);
  });
}

// The process stays a zombie until the group is gone, so that its pid, which is the group's, cannot
// be reused meanwhile.
void RankProcess::OnExit() {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(process_.pid), &info, WEXITED | WNOWAIT | WNOHANG) != 0 ||
      info.si_pid == 0) {
    return;
  }
  absl::MutexLock lock(&mutex_);
  exited_ = true;
  if (info.si_code == CLD_EXITED) {
    exit_.code = info.si_status;
  } else {
    exit_.signal = info.si_status;
  }
  exit_.out_of_memory = RanOutOfMemory();
  drain_until_ = BootNow() + kDrainTime;
  Kill();
}

void RankProcess::Kill() {
  kill(-process_.pid, SIGKILL);
  if (cgroup_) cgroup_->Kill();
}

// The cgroup counts its own members; without one, a kill anywhere on the machine is the best guess.
bool RankProcess::RanOutOfMemory() const {
  if (cgroup_) {
    if (const auto kills = cgroup_->OutOfMemoryKills()) return *kills > 0;
  }
  return exit_.signal == SIGKILL && OutOfMemoryKills() > oom_kills_before_;
}

bool RankProcess::HasEnded() {
  absl::MutexLock lock(&mutex_);
  return exit_.ended;
}

void RankProcess::CleanUp() {
  const bool ended = HasEnded();
  const int rounds = ended ? kKillRounds : 1;  // one that SIGKILL did not end had its time
  const std::vector<pid_t> left =
      KillProcesses({.group = process_.pid, .environment = IdentityEnvironment(identity_)}, rounds);
  const bool empty = !cgroup_ || cgroup_->KillAll(rounds);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(process_.pid), &info, WEXITED | (ended ? 0 : WNOHANG));
  if (events_.malformed() > 0) {
    sink_.OnLine(identity_.rank, LineStream::kAgent,
                 absl::StrCat(events_.malformed(), " lines on descriptor 3 were no events"));
  }
  absl::MutexLock lock(&mutex_);
  exit_.gone = ended && left.empty() && empty;
  if (cgroup_) exit_.peak_bytes = cgroup_->PeakBytes().value_or(0);
  done_ = true;
}

}  // namespace fpo::worker
