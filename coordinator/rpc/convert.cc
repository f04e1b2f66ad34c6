#include "coordinator/rpc/convert.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "coordinator/core/jobs/restart_rules.h"
#include "coordinator/core/scheduling/elastic_slots.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kPageMax = 500;
constexpr int32_t kPageDefault = 100;
constexpr int kToldAttemptsMax = 20;  // with their messages: the newest

void Fill(const Progress& progress, pb::JobProgress* proto) {
  proto->set_phase(ToProto(progress.phase));
  proto->set_done(progress.done);
  proto->set_total(progress.total);
  proto->set_unit(progress.unit);
  proto->set_activity(progress.activity);
  proto->set_step(progress.step);
  proto->set_total_steps(progress.total_steps);
  for (const auto& [name, value] : progress.metrics) (*proto->mutable_metrics())[name] = value;
  if (progress.cache != CacheUse{}) *proto->mutable_cache() = ToProto(progress.cache);
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
  proto->set_end_class(ToProto(attempt.end_class));
  proto->set_end_message(attempt.end_message);
}

}  // namespace

pb::Job ToProto(const Job& job, std::string config_json) {
  pb::Job proto;
  proto.set_job_id(job.job_id);
  proto.mutable_spec()->set_config_json(std::move(config_json));
  proto.mutable_spec()->set_owner(job.owner);
  proto.set_name(job.name);
  proto.set_state(ToProto(job.state));
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
  proto.set_kind(ToProto(job.kind));
  proto.set_method(job.method);
  for (const auto& [name, value] : job.result) (*proto.mutable_result())[name] = value;
  proto.mutable_result_texts()->insert(job.result_texts.begin(), job.result_texts.end());
  proto.set_slots(job.demand.slots);
  proto.set_min_slots(job.demand.min_slots);
  proto.set_slots_held(HeldSlots(job));
  proto.set_queue(job.demand.queue);
  for (const std::string& other : job.after_ok) proto.add_after_ok(other);
  for (const std::string& other : job.after_end) proto.add_after_end(other);
  proto.mutable_labels()->insert(job.labels.begin(), job.labels.end());
  for (const BadCheckpoint& bad : job.bad_checkpoints) *proto.add_bad_checkpoints() = ToProto(bad);
  proto.set_retry_of(job.retry_of);
  proto.set_trace_id(job.trace.trace_id);
  for (const auto& [worker, faults] : job.host_faults) {
    if (IsExcluded(job, worker)) proto.add_excluded_workers(worker);
  }
  return proto;
}

pb::Job ToListedProto(const Job& job) {
  pb::Job proto = ToProto(job, "");
  // A job that was restarted hundreds of times says the same hundreds of times.
  for (int i = 0; i + kToldAttemptsMax < proto.attempts_size(); ++i) {
    proto.mutable_attempts(i)->clear_end_message();
  }
  return proto;
}

pb::LogLine ToProto(const LogLine& line) {
  pb::LogLine proto;
  proto.set_cursor(line.cursor);
  proto.set_attempt(line.attempt);
  proto.set_rank(line.rank);
  proto.set_stream(ToProto(line.stream));
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
  proto.set_state(ToProto(worker.state()));
  proto.set_slots(worker.hello.slots);
  proto.set_slots_used(worker.slots_used);
  for (const Device& device : worker.hello.devices) *proto.add_devices() = ToProto(device);
  proto.set_device(ToProto(worker.hello.device));
  proto.set_version(worker.hello.version);
  proto.set_memory_bytes(worker.hello.memory_bytes);
  SetTime(worker.last_heartbeat, proto.mutable_last_beat());
  for (const std::string& job_id : worker.jobs) proto.add_jobs(job_id);
  for (const auto& [name, value] : worker.hello.labels) (*proto.mutable_labels())[name] = value;
  proto.set_note(worker.mode.note);
  return proto;
}

absl::StatusOr<JobFilter> FromProto(const pb::ListJobsRequest& request) {
  JobFilter filter;
  for (const int number : request.states()) {
    const std::optional<JobState> state = FromProto(static_cast<pb::JobState>(number));
    if (!state) {
      return WithErrorInfo(
          absl::InvalidArgumentError(absl::StrCat("states: ", number, " is not a job state")),
          {.reason = ErrorReason::kBadState, .field = "states"});
    }
    filter.states.push_back(*state);
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

SubmitRequest FromProto(const pb::SubmitRequest& request) {
  SubmitRequest submission;
  submission.request_id = request.request_id();
  submission.config_json = request.spec().config_json();
  submission.owner = request.spec().owner();
  submission.hold = request.hold();
  submission.after_ok.assign(request.after_ok().begin(), request.after_ok().end());
  submission.after_end.assign(request.after_end().begin(), request.after_end().end());
  return submission;
}

RetryRequest FromProto(const pb::RetryJobRequest& request) {
  return {request.request_id(), request.job_id(), request.from_step(), request.spec().config_json(),
          request.spec().owner()};
}

absl::StatusOr<WorkerMode> FromProto(const pb::SetWorkerModeRequest& request) {
  switch (request.mode()) {
    case pb::SetWorkerModeRequest::MODE_OPEN:
      return WorkerMode{WorkerMode::Kind::kOpen, request.note()};
    case pb::SetWorkerModeRequest::MODE_CORDON:
      return WorkerMode{WorkerMode::Kind::kCordoned, request.note()};
    case pb::SetWorkerModeRequest::MODE_DRAIN:
      return WorkerMode{WorkerMode::Kind::kDraining, request.note()};
    default:  // a request without a mode must not open a worker
      return WithErrorInfo(
          absl::InvalidArgumentError(
              absl::StrCat("mode: ", static_cast<int>(request.mode()), " is not a worker mode")),
          {.reason = ErrorReason::kBadMode, .field = "mode"});
  }
}

}  // namespace fpo::coordinator
