#include "coordinator/rpc/worker_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/observe/log.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "common/wire/worker_wire.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

// An agent that does not read is cut off at this; it dials in again and is told what it missed.
constexpr size_t kUnsentMax = 1024;

}  // namespace

// The core's handle of a session, which it may outlive.
class WorkerSession::Link final : public WorkerLink {
 public:
  explicit Link(WorkerSession* session) : session_(session) {}

  void Send(const WorkerCommand& command) override {
    absl::MutexLock lock(&mu_);
    if (session_ != nullptr) session_->Queue(ToProto(command));
  }
  void Close(const absl::Status& why) override {
    absl::MutexLock lock(&mu_);
    if (session_ != nullptr) session_->End(why);
  }
  void Detach() {
    absl::MutexLock lock(&mu_);
    session_ = nullptr;
  }

 private:
  absl::Mutex mu_;
  WorkerSession* session_ ABSL_GUARDED_BY(mu_);
};

WorkerSession::WorkerSession(const Dependencies& dependencies, Principal caller)
    : dependencies_(dependencies),
      caller_(std::move(caller)),
      link_(std::make_shared<Link>(this)),
      loop_(dependencies.pool, [this] { return Step(); }) {
  if (const absl::Status full = dependencies_.streams->Add(this); !full.ok()) End(full);
  StartRead(&incoming_);
}

void WorkerSession::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    read_done_ = ok;
    half_closed_ = !ok;
  }
  loop_.Wake();
}

void WorkerSession::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    write_done_ = true;
    if (!ok && end_.ok()) end_ = absl::CancelledError("the agent went away");
  }
  loop_.Wake();
}

void WorkerSession::OnCancel() { End(absl::CancelledError("the stream broke")); }

void WorkerSession::OnDone() {
  // Under the lock: a step that is running now must not destroy the loop before it is woken.
  absl::MutexLock lock(&mu_);
  done_ = true;
  loop_.Wake();
}

void WorkerSession::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mu_);
    if (end_.ok()) end_ = why;
  }
  loop_.Wake();
}

void WorkerSession::Queue(pb::CoordinatorMessage message) {
  {
    absl::MutexLock lock(&mu_);
    if (queue_.size() >= kUnsentMax) {
      if (end_.ok()) end_ = absl::ResourceExhaustedError("the agent does not read its messages");
      queue_.clear();
    }
    if (end_.ok()) queue_.push_back(std::move(message));
  }
  loop_.Wake();
}

absl::Status WorkerSession::OnHello(const pb::Hello& hello) {
  if (!worker_id_.empty()) return absl::InvalidArgumentError("a second Hello on one stream");
  if (!caller_.MayBeWorker(hello.worker_id())) {
    return WithErrorInfo(
        absl::PermissionDeniedError(absl::StrCat("the credentials are those of ", caller_.name,
                                                 ", and the worker calls itself ",
                                                 hello.worker_id())),
        {.reason = ErrorReason::kNotYours,
         .field = "worker_id",
         .hint = absl::StrCat("start it with --name ", caller_.name,
                              "; a token for several workers: fpoctl token create NAME --role "
                              "worker --worker NAME --access FILE"),
         .ids = {caller_.name}});
  }
  FPO_RETURN_IF_ERROR(dependencies_.coordinator->Connect(FromProto(hello), link_));
  worker_id_ = hello.worker_id();
  return absl::OkStatus();
}

absl::Status WorkerSession::Dispatch(const pb::WorkerMessage& message) {
  if (worker_id_.empty() != message.has_hello()) {
    return WithErrorInfo(
        absl::InvalidArgumentError("the first message of a session, and only it, is Hello"),
        {.reason = ErrorReason::kBadHello});
  }
  switch (message.kind_case()) {
    case pb::WorkerMessage::kHello:
      return OnHello(message.hello());
    case pb::WorkerMessage::kBeat:
      dependencies_.coordinator->Heartbeat(worker_id_, link_.get(), message.beat().seq());
      return absl::OkStatus();
    case pb::WorkerMessage::kReport: {
      FPO_ASSIGN_OR_RETURN(Report report, FromProto(message.report()));
      dependencies_.coordinator->Report({std::move(report), worker_id_});
      return absl::OkStatus();
    }
    case pb::WorkerMessage::kEvents:
      return dependencies_.coordinator->AddEvents(worker_id_, FromProto(message.events()));
    case pb::WorkerMessage::kLogs:
      return dependencies_.coordinator->AddLogs(worker_id_, FromProto(message.logs()));
    case pb::WorkerMessage::kClosing:
      dependencies_.coordinator->CloseWorker(worker_id_, message.closing().why());
      return absl::OkStatus();
    case pb::WorkerMessage::kLeaving:
      dependencies_.coordinator->Leave(worker_id_, link_.get(), message.leaving().why());
      return absl::OkStatus();
    case pb::WorkerMessage::KIND_NOT_SET:
      break;  // from a newer agent: ignored
  }
  return absl::OkStatus();
}

void WorkerSession::Take(const pb::WorkerMessage& message) {
  const absl::Status status = Dispatch(message);
  if (status.ok()) return StartRead(&incoming_);
  Log(LogLevel::kWarning, absl::StrCat("a session ends: ", status.message()),
      {{"worker", worker_id_}});
  End(status);
}

void WorkerSession::Disconnect() {
  link_->Detach();
  if (worker_id_.empty()) return;
  dependencies_.coordinator->Disconnect(worker_id_, link_.get());
  dependencies_.relay->HolderLeft(worker_id_);
}

void WorkerSession::FinishWhenIdle(const absl::Status& status) {
  Disconnect();
  if (writing_ || std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

bool WorkerSession::Step() {
  bool has_message = false;
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(write_done_, false)) writing_ = false;
    has_message = std::exchange(read_done_, false) && end_.ok();
  }
  if (has_message) Take(incoming_);

  absl::Status end;
  bool done = false;
  bool has_outgoing = false;
  bool half_closed = false;
  {
    absl::MutexLock lock(&mu_);
    done = done_;
    end = end_;
    half_closed = half_closed_;
    if (!writing_ && !queue_.empty() && end.ok() && !finished_) {
      outgoing_ = std::move(queue_.front());
      queue_.pop_front();
      has_outgoing = true;
    }
  }
  if (done) {
    Disconnect();
    dependencies_.streams->Remove(this);
    delete this;
    return false;
  }
  if (!end.ok() || half_closed) {
    FinishWhenIdle(end);
  } else if (has_outgoing) {
    writing_ = true;
    StartWrite(&outgoing_);
  }
  return true;
}

}  // namespace fpo::coordinator
