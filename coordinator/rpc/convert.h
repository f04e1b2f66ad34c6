#pragma once

#include "absl/status/statusor.h"
#include "common/wire/wire_time.h"
#include "common/wire/worker_wire.h"
#include "coordinator/core/jobs/checkpoint_registry.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/jobs/job_intake.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/lines/audit_log.h"
#include "coordinator/core/lines/line_intake.h"
#include "coordinator/core/lines/metric_cache.h"
#include "coordinator/core/lines/metric_series.h"
#include "coordinator/core/scheduling/explain_job.h"
#include "coordinator/core/scheduling/preview.h"
#include "coordinator/core/scheduling/queue_forecast.h"
#include "coordinator/core/store/job_store.h"
#include "coordinator/core/workers/artifact_place.h"
#include "coordinator/core/workers/worker_registry.h"
#include "proto/fpo/v1/coordinator.pb.h"
#include "proto/fpo/v1/job.pb.h"
#include "proto/fpo/v1/worker.pb.h"

// Messages of the coordinator's own values; those it shares with others are in common/wire.
namespace fpo::coordinator {

using fpo::FromProto;
using fpo::ToProto;

fpo::v1::Job ToProto(const Job& job, std::string config_json);
fpo::v1::LogLine ToProto(const LogLine& line);
fpo::v1::JobEvent ToProto(const EventLine& line);
fpo::v1::Worker ToProto(const WorkerView& worker);
fpo::v1::AuditEntry ToProto(const AuditEntry& entry);
AuditFilter FromProto(const fpo::v1::ListAuditRequest& request);
fpo::v1::ExplainJobResponse ToProto(const Explanation& explanation);
fpo::v1::QueueResponse ToProto(const QueueView& queue);
fpo::v1::GcCheckpointsResponse ToProto(const std::vector<RetentionDecision>& decisions);
// At most `points_max` points of each series.
// As many jobs as fit a message; the token then names the last one, as at the end of a full page.
void Fill(const JobPage& page, fpo::v1::ListJobsResponse* response);
void Fill(const MetricCache::Curves& curves, fpo::v1::MetricsResponse* response);
void Fill(const Preview& preview, fpo::v1::ValidateResponse* response);
// Without spec.config_json, and with messages of the newest 20 attempts only: 500 jobs must fit a
// page.
fpo::v1::Job ToListedProto(const Job& job);

ArtifactRequest FromProto(const fpo::v1::ReadArtifactRequest& request);
// Takes the contents of what an agent pushed.
fpo::v1::ReadArtifactResponse ToUserProto(fpo::v1::PushArtifactRequest* pushed);
absl::Status StatusOf(const fpo::v1::PushError& error);  // never OK

// InvalidArgument for an unknown state.
absl::StatusOr<JobFilter> FromProto(const fpo::v1::ListJobsRequest& request);
LogQuery FromProto(const fpo::v1::LogsRequest& request);
SubmitRequest FromProto(const fpo::v1::SubmitRequest& request);
RetryRequest FromProto(const fpo::v1::RetryJobRequest& request);
// InvalidArgument for an unknown mode.
absl::StatusOr<WorkerMode> FromProto(const fpo::v1::SetWorkerModeRequest& request);

}  // namespace fpo::coordinator
