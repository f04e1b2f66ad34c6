#include <algorithm>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/wire/worker_wire.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using google::protobuf::RepeatedPtrField;

int32_t Milliseconds(absl::Duration duration) {
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  return static_cast<int32_t>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int32_t>::max()));
}

// Each command's place in the message, in both directions.

void Fill(const WelcomeCommand& command, pb::CoordinatorMessage* message) {
  pb::Welcome& proto = *message->mutable_welcome();
  for (const AttemptRef& ref : command.adopt) *proto.add_adopt() = ToProto(ref);
  for (const AttemptRef& ref : command.kill) *proto.add_kill() = ToProto(ref);
  proto.set_beat_interval_ms(Milliseconds(command.heartbeat));
  proto.set_lease_ms(Milliseconds(command.lease));
  proto.set_store_id(command.store.id);
  proto.set_store_revision(command.store.revision);
}
WelcomeCommand CommandOf(const pb::Welcome& proto) {
  WelcomeCommand command;
  for (const pb::AttemptRef& ref : proto.adopt()) command.adopt.push_back(FromProto(ref));
  for (const pb::AttemptRef& ref : proto.kill()) command.kill.push_back(FromProto(ref));
  command.heartbeat = absl::Milliseconds(proto.beat_interval_ms());
  command.lease = absl::Milliseconds(proto.lease_ms());
  command.store = {proto.store_id(), proto.store_revision()};
  return command;
}

void Fill(const HeartbeatAckCommand& command, pb::CoordinatorMessage* message) {
  message->mutable_beat_ack()->set_seq(command.seq);
  message->mutable_beat_ack()->set_store_revision(command.store_revision);
}

void Fill(const AssignCommand& command, pb::CoordinatorMessage* message) {
  pb::Assign& proto = *message->mutable_assign();
  *proto.mutable_attempt() = ToProto(command.attempt);
  proto.set_config_json(command.config_json);
  proto.set_slots(command.slots);
  proto.set_first_rank(command.first_rank);
  proto.set_world_size(command.world_size);
  proto.set_resume(command.resume);
  proto.set_store_address(command.store_address);
  proto.set_discard_after_step(command.discard_after_step);
  proto.set_owner(command.owner);
  proto.set_traceparent(command.traceparent);
}
AssignCommand CommandOf(const pb::Assign& proto) {
  AssignCommand command;
  command.attempt = FromProto(proto.attempt());
  command.config_json = proto.config_json();
  command.slots = proto.slots();
  command.first_rank = proto.first_rank();
  command.world_size = proto.world_size();
  command.resume = proto.resume();
  command.store_address = proto.store_address();
  command.discard_after_step = proto.discard_after_step();
  command.owner = proto.owner();
  command.traceparent = proto.traceparent();
  return command;
}

void Fill(const StopCommand& command, pb::CoordinatorMessage* message) {
  pb::Stop& proto = *message->mutable_stop();
  *proto.mutable_attempt() = ToProto(command.attempt);
  proto.set_grace_ms(Milliseconds(command.grace));
  proto.set_reason(command.reason);
}

void Fill(const AckCommand& command, pb::CoordinatorMessage* message) {
  pb::Ack& proto = *message->mutable_ack();
  *proto.mutable_attempt() = ToProto(command.attempt);
  proto.set_events_seq(command.events_seq);
  proto.set_logs_seq(command.logs_seq);
}

void Fill(const ResendLogsCommand& command, pb::CoordinatorMessage* message) {
  pb::ResendLogs& proto = *message->mutable_resend_logs();
  *proto.mutable_attempt() = ToProto(command.attempt);
  proto.set_from_seq(command.from_seq);
}

void Fill(const std::vector<std::string>& texts, RepeatedPtrField<std::string>* proto) {
  proto->Add(texts.begin(), texts.end());
}
std::vector<std::string> TextsOf(const RepeatedPtrField<std::string>& proto) {
  return {proto.begin(), proto.end()};
}

void Fill(const KeepCheckpointsCommand& command, pb::CoordinatorMessage* message) {
  pb::KeepCheckpoints& proto = *message->mutable_keep_checkpoints();
  proto.set_job_id(command.job_id);
  Fill(command.remove, proto.mutable_remove());
  Fill(command.pin, proto.mutable_pin());
  Fill(command.unpin, proto.mutable_unpin());
}

void Fill(const ServeArtifactCommand& command, pb::CoordinatorMessage* message) {
  pb::ServeArtifact& proto = *message->mutable_serve_artifact();
  proto.set_transfer_id(command.transfer_id);
  proto.set_folder(command.folder);
  proto.set_checkpoint(command.checkpoint);
  proto.set_file(command.file);
  proto.set_offset(command.offset);
  proto.set_exported(command.exported);
  proto.set_kind(ToProto(command.kind));
  proto.set_owner(command.owner);
  proto.set_model_manifest(command.model_manifest);
}
void Fill(const DismissCommand&, pb::CoordinatorMessage* message) { message->mutable_dismiss(); }
ServeArtifactCommand CommandOf(const pb::ServeArtifact& proto) {
  return {proto.transfer_id(),   proto.folder(),   proto.checkpoint(),      proto.file(),
          proto.offset(),        proto.exported(), FromProto(proto.kind()), proto.owner(),
          proto.model_manifest()};
}

}  // namespace

pb::CoordinatorMessage ToProto(const WorkerCommand& command) {
  pb::CoordinatorMessage message;
  std::visit([&](const auto& each) { Fill(each, &message); }, command);
  return message;
}

std::optional<WorkerCommand> FromProto(const pb::CoordinatorMessage& message) {
  switch (message.kind_case()) {
    case pb::CoordinatorMessage::kWelcome:
      return CommandOf(message.welcome());
    case pb::CoordinatorMessage::kBeatAck:
      return HeartbeatAckCommand{message.beat_ack().seq(), message.beat_ack().store_revision()};
    case pb::CoordinatorMessage::kAssign:
      return CommandOf(message.assign());
    case pb::CoordinatorMessage::kStop:
      return StopCommand{FromProto(message.stop().attempt()),
                         absl::Milliseconds(message.stop().grace_ms()), message.stop().reason()};
    case pb::CoordinatorMessage::kAck:
      return AckCommand{FromProto(message.ack().attempt()), message.ack().events_seq(),
                        message.ack().logs_seq()};
    case pb::CoordinatorMessage::kResendLogs:
      return ResendLogsCommand{FromProto(message.resend_logs().attempt()),
                               message.resend_logs().from_seq()};
    case pb::CoordinatorMessage::kKeepCheckpoints: {
      const pb::KeepCheckpoints& keep = message.keep_checkpoints();
      return KeepCheckpointsCommand{keep.job_id(), TextsOf(keep.remove()), TextsOf(keep.pin()),
                                    TextsOf(keep.unpin())};
    }
    case pb::CoordinatorMessage::kServeArtifact:
      return CommandOf(message.serve_artifact());
    case pb::CoordinatorMessage::kDismiss:
      return DismissCommand{};
    case pb::CoordinatorMessage::KIND_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace fpo
