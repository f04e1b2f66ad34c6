#include "worker/rpc/coordinator_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/observe/log.h"
#include "common/rpc/grpc_status.h"
#include "common/waits/stop_wait.h"
#include "worker/rpc/convert.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

constexpr absl::Duration kShortestHeartbeat = absl::Milliseconds(10);
constexpr absl::Duration kLongestHeartbeat = absl::Seconds(60);
constexpr absl::Duration kSendLook = absl::Milliseconds(200);
constexpr size_t kUnansweredMax = 1000;
constexpr absl::Duration kSaveStoreEvery = absl::Seconds(10);

}  // namespace

absl::Status CoordinatorSession::Run(std::stop_token stop,
                                     const std::function<void()>& on_welcome) {
  const std::stop_callback end_on_stop(stop,
                                       [this] { End(absl::UnavailableError("the agent ends")); });
  {
    absl::MutexLock lock(&mutex_);
    begun_ = BootNow();
    heartbeat_interval_ = std::min(options_.welcome_time, absl::Seconds(1));
    lease_ = options_.welcome_time;
  }
  stream_ = stub_->Session(&context_);
  WorkerHello hello = options_.hello;
  hello.running = listener_->RunningAttempts();
  hello.store = options_.store->mark();
  pb::WorkerMessage first;
  *first.mutable_hello() = ToProto(hello);
  heartbeat_thread_ = std::thread([this] { Heartbeat(); });
  Write(first);
  for (pb::CoordinatorMessage message; stream_->Read(&message);) {
    const std::optional<WorkerCommand> command = FromProto(message);
    if (!command) continue;  // from a newer coordinator
    const auto* welcome = std::get_if<WelcomeCommand>(&*command);
    if (welcome != nullptr && !send_thread_.joinable()) {
      if (!Welcome(*welcome, on_welcome)) break;
    } else {
      Take(*command);
    }
  }
  over_.request_stop();
  heartbeat_thread_.join();
  if (send_thread_.joinable()) send_thread_.join();
  const absl::Status status = FromGrpcStatus(stream_->Finish());
  absl::MutexLock lock(&mutex_);
  if (!why_.ok()) return why_;
  return status.ok() ? absl::UnavailableError("the coordinator closed the session") : status;
}

bool CoordinatorSession::Write(const pb::WorkerMessage& message) {
  absl::MutexLock lock(&write_mutex_);
  return stream_->Write(message);
}

bool CoordinatorSession::Welcome(const WelcomeCommand& welcome,
                                 const std::function<void()>& on_welcome) {
  if (const absl::Status known = options_.store->Check(welcome.store); !known.ok()) {
    End(known);
    return false;
  }
  // Kept before anything of that store runs here.
  options_.store->Saw(welcome.store);
  SaveStore();
  on_welcome();
  // Before the first heartbeat, because the listener counts by heartbeats from here on.
  listener_->OnConnected(welcome.kill, welcome.lease);
  {
    absl::MutexLock lock(&mutex_);
    welcomed_ = true;
    heartbeat_interval_ = std::clamp(welcome.heartbeat, kShortestHeartbeat, kLongestHeartbeat);
    lease_ = std::max(welcome.lease, heartbeat_interval_ * 2);
    last_answered_ = BootNow();
  }
  send_thread_ = std::thread([this] { Send(); });
  return true;
}

void CoordinatorSession::SaveStore() {
  const absl::Status saved = options_.store->Save();
  if (saved.ok()) return;
  Log(LogLevel::kError,
      absl::StrCat("which store the coordinator has is not kept: ", saved.message()));
}

void CoordinatorSession::Take(const WorkerCommand& command) {
  if (const auto* ack = std::get_if<HeartbeatAckCommand>(&command)) {
    TakeHeartbeatAck(*ack);
  } else if (const auto* assign = std::get_if<AssignCommand>(&command)) {
    listener_->OnAssign(*assign);
  } else if (const auto* stop = std::get_if<StopCommand>(&command)) {
    listener_->OnStop(stop->attempt, stop->grace, stop->reason);
  } else if (const auto* lines = std::get_if<AckCommand>(&command)) {
    listener_->OnAck(lines->attempt, lines->events_seq, lines->logs_seq);
  } else if (const auto* resend = std::get_if<ResendLogsCommand>(&command)) {
    listener_->OnResendLogs(resend->attempt, resend->from_seq);
  } else if (const auto* keep = std::get_if<KeepCheckpointsCommand>(&command)) {
    listener_->OnCheckpointOrder(*keep);
  } else if (const auto* serve = std::get_if<ServeArtifactCommand>(&command)) {
    options_.on_serve(*serve);
  } else if (std::holds_alternative<DismissCommand>(command)) {
    listener_->OnDismissed();
  }
}

void CoordinatorSession::TakeHeartbeatAck(const HeartbeatAckCommand& ack) {
  const uint64_t seq = ack.seq;
  options_.store->SawRevision(ack.store_revision);
  absl::Time sent;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = heartbeats_.sent_at.find(seq);
    if (found == heartbeats_.sent_at.end()) return;
    sent = found->second;
    last_answered_ = std::max(last_answered_, sent);
    heartbeats_.answered = seq;
    heartbeats_.sent_at.erase(heartbeats_.sent_at.begin(), std::next(found));
  }
  listener_->OnHeartbeatAnswered(seq, sent);
}

bool CoordinatorSession::IsSilent(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  const absl::Time since = welcomed_ ? last_answered_ : begun_;
  return now - since > lease_;
}

void CoordinatorSession::Heartbeat() {
  const std::stop_token over = over_.get_token();
  for (;;) {
    absl::Duration interval;
    bool welcomed = false;
    {
      absl::MutexLock lock(&mutex_);
      welcomed = welcomed_;
      interval =
          welcomed_ ? heartbeat_interval_ : std::min(heartbeat_interval_, absl::Milliseconds(100));
    }
    if (!WaitUnlessStopped(over, interval)) return;
    const absl::Time now = BootNow();
    if (IsSilent(now)) {
      return End(absl::UnavailableError(welcomed
                                            ? "the coordinator answered no heartbeat for a lease"
                                            : "the coordinator did not answer Hello"));
    }
    if (!welcomed) continue;
    pb::WorkerMessage message;
    {
      absl::MutexLock lock(&mutex_);
      message.mutable_beat()->set_seq(++heartbeats_.sent);
      heartbeats_.sent_at[heartbeats_.sent] = now;
      if (heartbeats_.sent_at.size() > kUnansweredMax)
        heartbeats_.sent_at.erase(heartbeats_.sent_at.begin());
    }
    listener_->OnHeartbeatSent(message.beat().seq());
    if (!Write(message)) return;
  }
}

void CoordinatorSession::Send() {
  const std::stop_token over = over_.get_token();
  for (absl::Time saved = BootNow(); !over.stop_requested();) {
    if (BootNow() - saved > kSaveStoreEvery) {
      SaveStore();
      saved = BootNow();
    }
    const std::optional<Outgoing> next = listener_->Next(kSendLook);
    if (next && !Write(ToProto(*next))) return;
  }
}

void CoordinatorSession::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mutex_);
    if (why_.ok()) why_ = why;
  }
  context_.TryCancel();
}

}  // namespace fpo::worker
