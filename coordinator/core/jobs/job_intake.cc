#include "coordinator/core/jobs/job_intake.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "coordinator/core/jobs/checkpoint_registry.h"
#include "coordinator/core/scheduling/explain.h"

namespace fpo::coordinator {
namespace {

absl::Status MissingRequestId() {
  return WithErrorInfo(absl::InvalidArgumentError("the submit has no request_id"),
                       {.reason = ErrorReason::kNoRequestId,
                        .field = "request_id",
                        .hint = "generate a UUID and reuse it for every retry"});
}

absl::Status RequestIdReused(const SubmittedRequest& known) {
  return WithErrorInfo(
      absl::AlreadyExistsError(absl::StrCat("request_id ", known.request_id,
                                            " was used for another job, ", known.job_id)),
      {.reason = ErrorReason::kRequestIdReused,
       .field = "request_id",
       .hint = "use a new request_id for a new job",
       .ids = {known.job_id}});
}

absl::Status CannotRetry(const Job& job) {
  const bool done = job.state == JobState::kSucceeded;
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat(
          "job ", job.job_id, " is ", Name(job.state),
          done ? ": there is nothing to retry" : "; only a job that has ended can be retried")),
      {.reason = ErrorReason::kIllegalTransition,
       .hint = done ? "submit its job file with another output"
                    : absl::StrCat("to end it: fpoctl cancel ", job.job_id),
       .ids = {job.job_id}});
}

absl::Status OtherOutput(const Job& job, const std::string& output) {
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat("job ", job.job_id,
                                                               " is retried in its own output "
                                                               "folder; ",
                                                               output, " is another")),
                       {.reason = ErrorReason::kInvalidRetry,
                        .field = "output",
                        .hint = "for a new job: fpoctl submit job.yaml"});
}

absl::Status OtherRun(const Job& job, const std::vector<JobDifference>& differences) {
  return WithErrorInfo(
      absl::InvalidArgumentError(absl::StrCat(
          "job ", job.job_id, " is retried in its output folder, whose run has ",
          "other settings: ", DescribeDifferences(differences, "here", "in job " + job.job_id))),
      {.reason = ErrorReason::kInvalidRetry,
       .field = differences.front().key,
       .hint = "for a new run: fpoctl submit FILE --set output=...",
       .ids = {job.job_id}});
}

// What a retry changes without becoming another run. Whether a path leads to the same content is
// known only where it can be read.
absl::Status NoteDifferences(const Job& old, const std::string& config_json,
                             std::vector<std::string>* warnings) {
  FPO_ASSIGN_OR_RETURN(const JobConfig before, ReadJobJson(old.config_json));
  FPO_ASSIGN_OR_RETURN(const JobConfig now, ReadJobJson(config_json));
  const std::vector<JobDifference> noted = NotedDifferences(now, before);
  if (noted.empty()) return absl::OkStatus();
  const bool paths = std::any_of(noted.begin(), noted.end(),
                                 [](const JobDifference& each) { return each.is_path; });
  warnings->push_back(
      absl::StrCat("continues with ", DescribeDifferences(noted, "now", "before"),
                   paths ? "; it stops if a path leads to other content than before" : ""));
  return absl::OkStatus();
}

// The checkpoints up to a step; all for 0.
absl::StatusOr<std::vector<Checkpoint>> CheckpointsUpTo(const Job& job, int64_t step) {
  std::vector<Checkpoint> kept = job.checkpoints;
  if (step == 0) return kept;
  std::erase_if(kept, [step](const Checkpoint& c) { return c.step > step; });
  if (kept.empty() || kept.back().step != step) return NoSuchCheckpoint(job, step);
  return kept;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> JobIntake::Dependencies(
    const std::vector<std::string>& job_refs, const std::string& owner, bool must_succeed) const {
  std::vector<std::string> ids;
  for (const std::string& each : job_refs) {
    FPO_ASSIGN_OR_RETURN(const JobPtr job, jobs_->Find(each, owner));
    const bool failed = job->state == JobState::kFailed || job->state == JobState::kCancelled;
    if (failed && must_succeed) {
      return WithErrorInfo(
          absl::FailedPreconditionError(ExplainDependency(job->job_id, job->state)),
          {.reason = ErrorReason::kDependencyFailed,
           .field = "after_ok",
           .hint = absl::StrCat("fpoctl retry ", job->job_id, "; then name the new job"),
           .ids = {job->job_id}});
    }
    if (std::find(ids.begin(), ids.end(), job->job_id) == ids.end()) ids.push_back(job->job_id);
  }
  return ids;
}

// Jobs stay until retention removes them, ended ones too. Their configurations are most of what the
// store keeps of them.
absl::Status JobIntake::CheckRoom(size_t config_bytes) const {
  const int64_t most = options_.config_bytes_max;
  const int64_t all = jobs_->config_bytes() + static_cast<int64_t>(config_bytes);
  if (most <= 0 || all <= most) return absl::OkStatus();
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("the configurations of all jobs have ", all >> 20,
                                                " MiB; the coordinator keeps at most ",
                                                most >> 20)),
      {.reason = ErrorReason::kQuota,
       .hint = "fpo-coordinator --keep-jobs removes jobs that ended, --max-jobs-mib allows more"});
}

absl::Status JobIntake::CheckOwnerQuota(const std::string& owner) const {
  if (options_.owner_jobs_max <= 0) return absl::OkStatus();
  const int64_t live = jobs_->LiveJobsOf(owner);
  if (live < options_.owner_jobs_max) return absl::OkStatus();
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("user ", owner, " has ", live,
                                                " jobs that have not ended; the limit is ",
                                                options_.owner_jobs_max)),
      {.reason = ErrorReason::kQuota,
       .hint = absl::StrCat("wait for some, or cancel some: fpoctl list --owner ", owner)});
}

absl::Status JobIntake::CheckLimits(const Job& job) const {
  FPO_RETURN_IF_ERROR(options_.limits.CheckPriority(job.owner, job.demand.priority));
  return options_.limits.Check(job.owner, {.jobs = jobs_->LiveJobsOf(job.owner) + 1,
                                           .bytes = jobs_->ConfigBytesOf(job.owner) +
                                                    static_cast<int64_t>(job.config_json.size())});
}

absl::StatusOr<SubmitResult> JobIntake::Submit(const SubmitRequest& request, absl::Time now) {
  absl::StatusOr<Submission> submission = CheckSubmission(request.config_json);
  if (!submission.ok() || request.request_id.empty()) {
    ++counts_->submissions["invalid"];
    return submission.ok() ? MissingRequestId() : submission.status();
  }
  submission->job.owner = request.owner;
  submission->job.trace = request.trace;
  submission->job.after_ok = request.after_ok;  // as given; the digest tells a repetition by them
  submission->job.after_end = request.after_end;
  if (request.hold) submission->job.state = JobState::kHeld;
  return Create(*std::move(submission), {request.request_id, request.limited}, now);
}

absl::StatusOr<SubmitResult> JobIntake::Retry(const RetryRequest& request, absl::Time now) {
  FPO_ASSIGN_OR_RETURN(const JobPtr found, jobs_->Find(request.job));
  FPO_ASSIGN_OR_RETURN(const JobPtr old, jobs_->WithConfig(found));
  const std::string& json = request.config_json.empty() ? old->config_json : request.config_json;
  FPO_ASSIGN_OR_RETURN(Submission submission, CheckSubmission(json));
  if (request.request_id.empty()) return MissingRequestId();
  if (!IsTerminal(old->state) || old->state == JobState::kSucceeded) return CannotRetry(*old);
  FPO_RETURN_IF_ERROR(CheckCanGoOn(*old, json));
  FPO_RETURN_IF_ERROR(NoteDifferences(*old, json, &submission.warnings));
  Job& job = submission.job;
  job.owner = request.owner.empty() ? old->owner : request.owner;
  job.retry_of = old->job_id;
  job.trace = request.trace;
  FPO_ASSIGN_OR_RETURN(job.checkpoints, CheckpointsUpTo(*old, request.from_step));
  if (!job.checkpoints.empty()) job.checkpoint_step = job.checkpoints.back().step;
  return Create(std::move(submission), {request.request_id, request.limited}, now);
}

bool JobIntake::HasTrained(const Job& job) const {
  if (job.phase_reached >= Phase::kTrain || !job.checkpoints.empty()) return true;
  const JobPtr before = job.retry_of.empty() ? nullptr : jobs_->Get(job.retry_of);
  return before != nullptr && HasTrained(*before);
}

absl::Status JobIntake::CheckCanGoOn(const Job& old, const std::string& config_json) const {
  FPO_ASSIGN_OR_RETURN(const JobConfig before, ReadJobJson(old.config_json));
  FPO_ASSIGN_OR_RETURN(const JobConfig now, ReadJobJson(config_json));
  if (now.output != before.output) return OtherOutput(old, now.output);
  // A job that failed before it trained, perhaps because of a wrong path, has no run in its folder.
  if (old.kind != JobKind::kTrain || !HasTrained(old)) return absl::OkStatus();
  const std::vector<JobDifference> differences = DecidingDifferences(now, before);
  return differences.empty() ? absl::OkStatus() : OtherRun(old, differences);
}

absl::StatusOr<SubmitResult> JobIntake::Create(Submission submission, const Asking& asking,
                                               absl::Time now) {
  Job& job = submission.job;
  SubmittedRequest request;
  request.request_id = asking.request_id;
  request.digest = SubmissionDigest(job);
  FPO_ASSIGN_OR_RETURN(std::optional<SubmittedRequest> known,
                       store_->FindRequest(asking.request_id));
  if (known) {
    FPO_ASSIGN_OR_RETURN(SubmitResult answer, Repeat(*known, request.digest));
    answer.warnings = std::move(submission.warnings);
    return answer;
  }
  FPO_ASSIGN_OR_RETURN(job.after_ok, Dependencies(job.after_ok, job.owner, true));
  FPO_ASSIGN_OR_RETURN(job.after_end, Dependencies(job.after_end, job.owner, false));
  FPO_RETURN_IF_ERROR(jobs_->CheckOutputIsFree(job));
  FPO_RETURN_IF_ERROR(CheckOwnerQuota(job.owner));
  FPO_RETURN_IF_ERROR(CheckRoom(job.config_json.size()));
  if (asking.limited) FPO_RETURN_IF_ERROR(CheckLimits(job));
  if (options_.traces && job.trace.trace_id.empty()) job.trace.trace_id = RandomId(16);
  absl::StatusOr<JobPtr> created = jobs_->Create(std::move(job), std::move(request), now);
  ++counts_->submissions[created.ok() ? "created" : "failed"];
  if (!created.ok()) return created.status();
  return SubmitResult{*created, std::move(submission.warnings)};
}

absl::StatusOr<SubmitResult> JobIntake::Repeat(const SubmittedRequest& known,
                                               const std::string& digest) {
  ++counts_->submissions[known.digest == digest ? "repeated" : "invalid"];
  if (known.digest != digest) return RequestIdReused(known);
  JobPtr job = jobs_->Get(known.job_id);
  if (!job) {
    return WithErrorInfo(absl::NotFoundError(absl::StrCat(
                             "request ", known.request_id, " created job ", known.job_id,
                             ", which has ended and was removed for its age")),
                         {.reason = ErrorReason::kJobRemoved,
                          .hint = "use a new request_id",
                          .ids = {known.job_id}});
  }
  return SubmitResult{std::move(job), {}};
}

}  // namespace fpo::coordinator
