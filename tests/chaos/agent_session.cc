#include "tests/chaos/agent_session.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/deadline.h"
#include "common/train_protocol.h"

namespace fpo::testing {

namespace pb = fpo::v1;

AgentSession::AgentSession(pb::WorkerControl::Stub* stub, const std::string& name,
                           const std::string& instance,
                           const std::vector<pb::AttemptRef>& running) {
  SetDeadline(&context_, absl::Minutes(5));
  stream_ = stub->Session(&context_);
  pb::WorkerMessage message;
  pb::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(name);
  hello.set_instance_id(instance);
  hello.set_host("h");
  hello.set_slots(1);
  hello.set_device(pb::DEVICE_KIND_CPU);
  (*hello.mutable_labels())["zombie"] = name;
  for (const pb::AttemptRef& ref : running) *hello.add_running() = ref;
  Write(message);
}

bool AgentSession::Write(const pb::WorkerMessage& message) {
  const std::lock_guard<std::mutex> lock(write_mutex_);
  return stream_->Write(message);
}

AgentSession::~AgentSession() {
  context_.TryCancel();
  pb::CoordinatorMessage message;
  while (stream_->Read(&message)) {
  }
  stream_->Finish();
}

void AgentSession::Heartbeat() {
  pb::WorkerMessage message;
  message.mutable_beat()->set_seq(++heartbeats_);
  Write(message);
}

void AgentSession::Report(const pb::AttemptRef& ref, pb::AttemptReport::Status status) {
  pb::WorkerMessage message;
  *message.mutable_report()->mutable_attempt() = ref;
  message.mutable_report()->set_status(status);
  message.mutable_report()->set_end_class(pb::END_CLASS_PROGRAM);
  Write(message);
}

void AgentSession::Checkpoint(const pb::AttemptRef& ref, uint64_t seq, int64_t step) {
  TrainEvent event;
  event.kind = EventKind::kCheckpoint;
  event.seq = seq;
  event.step = step;
  event.file = absl::StrCat("/out/checkpoints/step-", step);
  pb::WorkerMessage message;
  *message.mutable_events()->mutable_attempt() = ref;
  message.mutable_events()->set_first_seq(seq);
  message.mutable_events()->add_items()->set_json(EncodeEvent(event));
  Write(message);
}

bool AgentSession::Logs(const pb::AttemptRef& ref, uint64_t first_seq, int count,
                        const std::string& text) {
  pb::WorkerMessage message;
  pb::LogBatch& batch = *message.mutable_logs();
  *batch.mutable_attempt() = ref;
  batch.set_first_seq(first_seq);
  for (int i = 0; i < count; ++i) {
    auto* line = batch.add_items();
    line->set_stream(pb::LINE_STREAM_STDOUT);
    line->set_text(text);
  }
  return Write(message);
}

bool AgentSession::Await(pb::CoordinatorMessage::KindCase kind, pb::CoordinatorMessage* message) {
  while (stream_->Read(message)) {
    if (message->kind_case() == kind) return true;
  }
  return false;
}

}  // namespace fpo::testing
