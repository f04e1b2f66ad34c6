#include "coordinator/rpc/convert.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "coordinator/core/jobs/restart_rules.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kPageMax = 500;
constexpr int32_t kPageDefault = 100;
constexpr size_t kPreparedMax = 128;  // a digest in hex has 64

int32_t Milliseconds(absl::Duration duration) {
  const int64_t ms = absl::ToInt64Milliseconds(duration);
  return static_cast<int32_t>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int32_t>::max()));
}

// The enum of the messages has UNSPECIFIED before ours.
pb::JobState StateProto(JobState state) {
  return static_cast<pb::JobState>(static_cast<int>(state) + 1);
}

void Fill(const CacheUse& cache, pb::CacheUse* proto) {
  proto->set_records_total(cache.records_total);
  proto->set_records_hit(cache.records_hit);
  proto->set_records_computed(cache.records_computed);
  proto->set_manifest_id(cache.manifest_id);
  proto->set_recipe_id(cache.recipe_id);
  proto->set_reference_seconds(cache.reference_seconds);
  proto->set_saved_seconds(cache.saved_seconds);
  proto->set_saved_flops(cache.saved_flops);
}

void Fill(const Progress& progress, pb::JobProgress* proto) {
  proto->set_phase(std::string(Name(progress.phase)));
  proto->set_done(progress.done);
  proto->set_total(progress.total);
  proto->set_unit(progress.unit);
  proto->set_activity(progress.activity);
  proto->set_step(progress.step);
  proto->set_total_steps(progress.total_steps);
  for (const auto& [name, value] : progress.metrics) (*proto->mutable_metrics())[name] = value;
  if (progress.cache != CacheUse{}) Fill(progress.cache, proto->mutable_cache());
  if (progress.updated != absl::InfinitePast()) {
    SetTime(progress.updated, proto->mutable_updated());
  }
}

void Fill(const Attempt& attempt, pb::Attempt* proto) {
  proto->set_number(attempt.number);
  proto->set_epoch(attempt.epoch);
  for (const Member& member : attempt.members) proto->add_workers(member.worker);
  SetTime(attempt.started, proto->mutable_started());
  if (attempt.ended) SetTime(*attempt.ended, proto->mutable_ended());
  proto->set_end_class(std::string(Name(attempt.end_class)));
  proto->set_end_message(attempt.end_message);
}

pb::CoordinatorMessage Message(const WelcomeCommand& command) {
  pb::CoordinatorMessage message;
  pb::Welcome* welcome = message.mutable_welcome();
  for (const AttemptRef& ref : command.adopt) *welcome->add_adopt() = ToProto(ref);
  for (const AttemptRef& ref : command.kill) *welcome->add_kill() = ToProto(ref);
  welcome->set_beat_interval_ms(Milliseconds(command.beat));
  welcome->set_lease_ms(Milliseconds(command.lease));
  return message;
}

pb::CoordinatorMessage Message(const BeatAckCommand& command) {
  pb::CoordinatorMessage message;
  message.mutable_beat_ack()->set_seq(command.seq);
  return message;
}

pb::CoordinatorMessage Message(const AssignCommand& command) {
  pb::CoordinatorMessage message;
  pb::Assign* assign = message.mutable_assign();
  *assign->mutable_attempt() = ToProto(command.attempt);
  assign->set_config_json(command.config_json);
  assign->set_slots(command.slots);
  assign->set_first_rank(command.first_rank);
  assign->set_world_size(command.world_size);
  assign->set_resume(command.resume);
  assign->set_store_address(command.store_address);
  assign->set_discard_after_step(command.discard_after_step);
  assign->set_owner(command.owner);
  return message;
}

pb::CoordinatorMessage Message(const StopCommand& command) {
  pb::CoordinatorMessage message;
  pb::Stop* stop = message.mutable_stop();
  *stop->mutable_attempt() = ToProto(command.attempt);
  stop->set_grace_ms(Milliseconds(command.grace));
  stop->set_reason(command.reason);
  return message;
}

pb::CoordinatorMessage Message(const AckCommand& command) {
  pb::CoordinatorMessage message;
  pb::Ack* ack = message.mutable_ack();
  *ack->mutable_attempt() = ToProto(command.attempt);
  ack->set_events_seq(command.events_seq);
  ack->set_logs_seq(command.logs_seq);
  return message;
}

pb::CoordinatorMessage Message(const KeepCheckpointsCommand& command) {
  pb::CoordinatorMessage message;
  pb::KeepCheckpoints* keep = message.mutable_keep_checkpoints();
  keep->set_job_id(command.job_id);
  for (const std::string& folder : command.remove) keep->add_remove(folder);
  for (const std::string& folder : command.pin) keep->add_pin(folder);
  for (const std::string& folder : command.unpin) keep->add_unpin(folder);
  return message;
}

pb::CoordinatorMessage Message(const ServeArtifactCommand& command) {
  pb::CoordinatorMessage message;
  pb::ServeArtifact* serve = message.mutable_serve_artifact();
  serve->set_transfer_id(command.transfer_id);
  serve->set_folder(command.folder);
  serve->set_checkpoint(command.checkpoint);
  serve->set_file(command.file);
  serve->set_offset(command.offset);
  return message;
}

const char* StateOf(const WorkerView& worker) {
  if (!worker.connected) return "lost";
  switch (worker.mode.kind) {
    case WorkerMode::Kind::kCordoned:
      return "cordoned";
    case WorkerMode::Kind::kDraining:
      return worker.slots_used > 0 ? "draining" : "drained";
    default:
      return "ready";
  }
}

}  // namespace

void SetTime(absl::Time time, google::protobuf::Timestamp* proto) {
  const int64_t micros = absl::ToUnixMicros(time);
  int64_t seconds = micros / 1'000'000;
  int64_t rest = micros % 1'000'000;
  if (rest < 0) {
    rest += 1'000'000;
    --seconds;
  }
  proto->set_seconds(seconds);
  proto->set_nanos(static_cast<int32_t>(rest * 1000));
}

pb::Job ToProto(const Job& job) {
  pb::Job proto;
  proto.set_job_id(job.job_id);
  proto.mutable_spec()->set_config_json(job.config_json);
  proto.mutable_spec()->set_owner(job.owner);
  proto.set_name(job.name);
  proto.set_state(StateProto(job.state));
  proto.set_reason(job.reason);
  for (const Attempt& attempt : job.attempts) Fill(attempt, proto.add_attempts());
  proto.set_restarts_used(static_cast<int32_t>(job.restarts_used));
  proto.set_checkpoint_step(job.checkpoint_step);
  Fill(job.progress, proto.mutable_progress());
  SetTime(job.submitted, proto.mutable_submitted());
  if (job.started) SetTime(*job.started, proto.mutable_started());
  if (job.ended) SetTime(*job.ended, proto.mutable_ended());
  proto.set_priority(job.demand.priority);
  proto.set_revision(job.revision);
  proto.set_kind(job.kind);
  proto.set_method(job.method);
  for (const auto& [name, value] : job.result) (*proto.mutable_result())[name] = value;
  proto.set_slots(job.demand.slots);
  proto.set_queue(job.demand.queue);
  for (const std::string& other : job.after_ok) proto.add_after_ok(other);
  for (const std::string& other : job.after_end) proto.add_after_end(other);
  proto.mutable_labels()->insert(job.labels.begin(), job.labels.end());
  for (const BadCheckpoint& bad : job.bad_checkpoints) *proto.add_bad_checkpoints() = ToProto(bad);
  proto.set_retry_of(job.retry_of);
  for (const auto& [worker, faults] : job.host_faults) {
    if (IsExcluded(job, worker)) proto.add_excluded_workers(worker);
  }
  return proto;
}

pb::Job ToListedProto(const Job& job) {
  pb::Job proto = ToProto(job);
  proto.mutable_spec()->clear_config_json();
  return proto;
}

pb::Checkpoint ToProto(const Checkpoint& checkpoint) {
  pb::Checkpoint proto;
  proto.set_step(checkpoint.step);
  proto.set_attempt(checkpoint.attempt);
  proto.set_epoch(checkpoint.epoch);
  proto.set_folder(checkpoint.folder);
  proto.set_digest(checkpoint.digest);
  proto.set_bytes(checkpoint.bytes);
  if (checkpoint.score) proto.set_score(*checkpoint.score);
  proto.set_pinned(checkpoint.pinned);
  SetTime(checkpoint.accepted, proto.mutable_accepted());
  return proto;
}

pb::LogLine ToProto(const LogLine& line) {
  pb::LogLine proto;
  proto.set_cursor(line.cursor);
  proto.set_attempt(line.attempt);
  proto.set_rank(line.rank);
  proto.set_stream(std::string(Name(line.stream)));
  SetTime(absl::FromUnixMillis(line.time_unix_ms), proto.mutable_time());
  proto.set_text(line.text);
  return proto;
}

pb::JobEvent ToProto(const EventLine& line) {
  pb::JobEvent proto;
  proto.set_cursor(line.cursor);
  proto.set_attempt(line.attempt);
  proto.set_rank(line.rank);
  proto.set_json(line.json);
  return proto;
}

pb::Worker ToProto(const WorkerView& worker) {
  pb::Worker proto;
  proto.set_worker_id(worker.hello.worker_id);
  proto.set_host(worker.hello.host);
  proto.set_state(StateOf(worker));
  proto.set_slots(worker.hello.slots);
  proto.set_slots_used(worker.slots_used);
  for (const WorkerDevice& device : worker.hello.devices) {
    pb::Device& one = *proto.add_devices();
    one.set_index(device.index);
    one.set_name(device.name);
    one.set_memory_bytes(device.memory_bytes);
    one.set_used_bytes(device.used_bytes);
    one.set_driver(device.driver);
  }
  proto.set_device(worker.hello.device);
  proto.set_version(worker.hello.version);
  SetTime(worker.last_beat, proto.mutable_last_beat());
  for (const std::string& job_id : worker.jobs) proto.add_jobs(job_id);
  for (const auto& [name, value] : worker.hello.labels) (*proto.mutable_labels())[name] = value;
  proto.set_note(worker.mode.note);
  return proto;
}

pb::AttemptRef ToProto(const AttemptRef& ref) {
  pb::AttemptRef proto;
  proto.set_job_id(ref.job_id);
  proto.set_attempt(ref.attempt);
  proto.set_epoch(ref.epoch);
  return proto;
}

pb::CoordinatorMessage ToProto(const WorkerCommand& command) {
  return std::visit([](const auto& each) { return Message(each); }, command);
}

absl::StatusOr<JobFilter> FromProto(const pb::ListJobsRequest& request) {
  JobFilter filter;
  for (int state : request.states()) {
    if (state < 1 || state > static_cast<int>(kEnumSize<JobState>)) {
      return WithErrorInfo(
          absl::InvalidArgumentError(absl::StrCat("states: ", state, " is not a job state")),
          {.reason = ErrorReason::kBadState, .field = "states"});
    }
    filter.states.push_back(static_cast<JobState>(state - 1));
  }
  filter.owner = request.owner();
  filter.name = request.name();
  filter.labels.insert(request.labels().begin(), request.labels().end());
  filter.page_size =
      request.page_size() <= 0 ? kPageDefault : std::min(request.page_size(), kPageMax);
  filter.page_token = request.page_token();
  return filter;
}

LogQuery FromProto(const pb::LogsRequest& request) {
  LogQuery query;
  query.after = request.after();
  query.attempt = request.attempt();
  if (request.has_rank()) query.rank = request.rank();
  if (request.has_since()) {
    query.since_unix_ms = request.since().seconds() * 1000 + request.since().nanos() / 1'000'000;
  }
  return query;
}

SubmitAsk FromProto(const pb::SubmitRequest& request) {
  SubmitAsk ask;
  ask.request_id = request.request_id();
  ask.config_json = request.spec().config_json();
  ask.owner = request.spec().owner();
  ask.hold = request.hold();
  ask.after_ok.assign(request.after_ok().begin(), request.after_ok().end());
  ask.after_end.assign(request.after_end().begin(), request.after_end().end());
  return ask;
}

RetryAsk FromProto(const pb::RetryJobRequest& request) {
  return {request.request_id(), request.job_id(), request.from_step(), request.spec().config_json(),
          request.spec().owner()};
}

absl::StatusOr<WorkerMode> FromProto(const pb::SetWorkerModeRequest& request) {
  if (!pb::SetWorkerModeRequest::Mode_IsValid(request.mode())) {
    return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(
                             "mode: ", static_cast<int>(request.mode()), " is no worker mode")),
                         {.reason = ErrorReason::kBadMode, .field = "mode"});
  }
  return WorkerMode{static_cast<WorkerMode::Kind>(request.mode()), request.note()};
}

AttemptRef FromProto(const pb::AttemptRef& ref) {
  return {ref.job_id(), ref.attempt(), ref.epoch()};
}

WorkerHello FromProto(const pb::Hello& hello) {
  WorkerHello result;
  result.worker_id = hello.worker_id();
  result.instance_id = hello.instance_id();
  result.host = hello.host();
  result.version = hello.version();
  result.slots = hello.slots();
  for (const pb::Device& device : hello.devices()) {
    result.devices.push_back({device.index(), device.name(), device.memory_bytes(),
                              device.used_bytes(), device.driver()});
  }
  result.device = hello.device();
  for (const pb::AttemptRef& ref : hello.running()) result.running.push_back(FromProto(ref));
  result.labels.insert(hello.labels().begin(), hello.labels().end());
  result.work_dir = hello.work_dir();
  result.home_id = hello.home_id();
  result.boot_id = hello.boot_id();
  return result;
}

EventBatch FromProto(const pb::EventBatch& batch) {
  EventBatch result;
  result.attempt = FromProto(batch.attempt());
  result.first_seq = batch.first_seq();
  for (const pb::EventItem& item : batch.items()) {
    result.lines.push_back({item.rank(), {}, 0, item.json()});
  }
  return result;
}

LogBatch FromProto(const pb::LogBatch& batch) {
  LogBatch result;
  result.attempt = FromProto(batch.attempt());
  result.first_seq = batch.first_seq();
  for (const pb::LogItem& item : batch.items()) {
    result.lines.push_back(
        {item.rank(), FromName<LineStream>(item.stream()), item.time_unix_ms(), item.text()});
  }
  return result;
}

std::optional<CacheUse> CacheUseOf(const pb::AttemptReport& report) {
  if (!report.has_cache()) return std::nullopt;
  const pb::CacheUse& cache = report.cache();
  return CacheUse{cache.records_total(), cache.records_hit(), cache.records_computed(),
                  cache.manifest_id(),   cache.recipe_id(),   cache.reference_seconds(),
                  cache.saved_seconds(), cache.saved_flops()};
}

absl::StatusOr<MemberReport> FromProto(const pb::AttemptReport& report, const std::string& worker) {
  // The enum of the messages has UNSPECIFIED before ours.
  if (report.status() < pb::AttemptReport::ACCEPTED ||
      report.status() > pb::AttemptReport::STOPPED) {
    return absl::InvalidArgumentError(
        absl::StrCat("report of worker ", worker, " about job ", report.attempt().job_id(),
                     ": status ", static_cast<int>(report.status()), " is unknown"));
  }
  MemberReport result;
  result.attempt = FromProto(report.attempt());
  result.worker = worker;
  result.status = static_cast<ReportStatus>(report.status() - 1);
  result.end_class = FromName<EndClass>(report.end_class());
  result.cache = CacheUseOf(report);
  result.message = report.message();
  result.prepared = report.prepared().substr(0, kPreparedMax);
  return result;
}

}  // namespace fpo::coordinator
