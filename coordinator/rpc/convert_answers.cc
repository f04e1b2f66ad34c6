#include <algorithm>
#include <utility>

#include "common/error_info.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr int32_t kAuditMax = 500;
constexpr size_t kPageBytesMax = 3 << 20;  // of an answer; a message holds 4 MiB

void Fill(const QueuePlace& place, pb::QueuedJob* proto) {
  proto->set_position(place.position);
  *proto->mutable_job() = ToListedProto(*place.job);
  if (place.start) SetTime(*place.start, proto->mutable_start_estimate());
  if (place.end) SetTime(*place.end, proto->mutable_end_estimate());
}

}  // namespace

pb::ExplainJobResponse ToProto(const Explanation& explanation) {
  pb::ExplainJobResponse proto;
  proto.set_word(std::string(StandingName(explanation.standing)));
  proto.set_text(explanation.text);
  for (const std::string& detail : explanation.details) proto.add_details(detail);
  proto.set_next(explanation.next);
  return proto;
}

pb::QueueResponse ToProto(const QueueView& queue) {
  pb::QueueResponse proto;
  size_t bytes = 0;
  const auto fits = [&](const pb::QueuedJob& added) {
    bytes += added.ByteSizeLong();
    return bytes <= kPageBytesMax;
  };
  for (const QueuePlace& place : queue.running) {
    Fill(place, proto.add_running());
    if (!fits(proto.running(proto.running_size() - 1))) break;
  }
  for (const QueuePlace& place : queue.waiting) {
    if (bytes > kPageBytesMax) break;
    Fill(place, proto.add_waiting());
    if (!fits(proto.waiting(proto.waiting_size() - 1))) break;
  }
  proto.set_slots(queue.slots);
  proto.set_slots_free(queue.slots_free);
  return proto;
}

pb::GcCheckpointsResponse ToProto(const std::vector<RetentionDecision>& decisions) {
  pb::GcCheckpointsResponse proto;
  for (const RetentionDecision& decision : decisions) {
    auto* one = proto.add_decisions();
    *one->mutable_checkpoint() = ToProto(decision.checkpoint);
    one->set_removed(!decision.keep);
    one->set_why(decision.why);
  }
  return proto;
}

void Fill(const JobPage& page, pb::ListJobsResponse* response) {
  size_t bytes = 0;
  response->set_next_page_token(page.next_page_token);
  for (const JobPtr& job : page.jobs) {
    pb::Job listed = ToListedProto(*job);
    bytes += listed.ByteSizeLong();
    if (bytes > kPageBytesMax && response->jobs_size() > 0) {
      return response->set_next_page_token(response->jobs().rbegin()->job_id());
    }
    *response->add_jobs() = std::move(listed);
  }
}

void Fill(const MetricCache::Curves& curves, pb::MetricsResponse* response) {
  for (const auto& [name, points] : curves) {
    pb::MetricSeries* one = response->add_series();
    one->set_name(name);
    for (const auto& [step, value] : points) {
      one->add_steps(step);
      one->add_values(value);
    }
  }
}

void Fill(const Preview& preview, pb::ValidateResponse* response) {
  for (const std::string& warning : preview.warnings) response->add_warnings(warning);
  response->set_fit(preview.fit);
  response->set_quota(preview.quota);
  response->set_jobs_ahead(preview.jobs_ahead);
  if (preview.start) SetTime(*preview.start, response->mutable_start_estimate());
  if (preview.takes) response->set_run_seconds_estimate(absl::ToDoubleSeconds(*preview.takes));
  response->set_records(preview.records);
  response->set_files(preview.files);
}

pb::AuditEntry ToProto(const AuditEntry& entry) {
  pb::AuditEntry proto;
  proto.set_cursor(entry.cursor);
  SetTime(entry.time, proto.mutable_time());
  proto.set_who(entry.who);
  proto.set_method(entry.method);
  proto.set_target(entry.target);
  proto.set_result(entry.result);
  proto.set_detail(entry.detail);
  proto.set_request_id(entry.request_id);
  return proto;
}

AuditFilter FromProto(const pb::ListAuditRequest& request) {
  AuditFilter filter;
  filter.who = request.who();
  filter.target = request.target();
  filter.before = request.before();
  filter.limit = request.limit() <= 0 ? kAuditMax : std::min(request.limit(), kAuditMax);
  if (request.has_since()) {
    filter.since = TimeOf(request.since());
  }
  return filter;
}

ArtifactRequest FromProto(const pb::ReadArtifactRequest& request) {
  return {request.job_id(), request.step(), request.file(), request.offset(), request.exported()};
}

pb::ReadArtifactResponse ToUserProto(pb::PushArtifactRequest* pushed) {
  pb::ReadArtifactResponse proto;
  proto.mutable_files()->Swap(pushed->mutable_files());
  proto.mutable_data()->swap(*pushed->mutable_data());
  proto.set_sha256(pushed->sha256());
  return proto;
}

absl::Status StatusOf(const pb::PushError& error) {
  const auto code = static_cast<absl::StatusCode>(error.code());
  absl::Status status(code == absl::StatusCode::kOk ? absl::StatusCode::kUnknown : code,
                      error.message());
  return WithErrorInfo(std::move(status),
                       {.reason = ErrorReasonFromName(error.reason()), .hint = error.hint()});
}

}  // namespace fpo::coordinator
