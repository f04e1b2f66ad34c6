#include "coordinator/core/jobs/checkpoint_control.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "coordinator/core/workers/artifact_place.h"

namespace fpo::coordinator {
namespace {

absl::Status JobStillRuns(const Job& job) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("job ", job.job_id, " is ", Name(job.state),
                                                 "; its trainer manages its checkpoints")),
      {.reason = ErrorReason::kIllegalTransition,
       .hint = "add --dry-run, or wait for its end",
       .ids = {job.job_id}});
}

}  // namespace

absl::StatusOr<Checkpoint> CheckpointControl::Pin(const std::string& job_ref, int64_t step,
                                                  bool pinned) {
  FPO_ASSIGN_OR_RETURN(const JobPtr before, jobs_->Find(job_ref));
  Job job = *before;
  Checkpoint* checkpoint = FindCheckpoint(step, &job);
  if (checkpoint == nullptr) return NoSuchCheckpoint(job, step);
  const std::vector<std::string> holders = ConnectedHolders(job, *workers_);
  if (holders.empty()) return NoHolder(job, "the checkpoints");
  checkpoint->pinned = pinned;
  const Checkpoint answer = *checkpoint;
  KeepCheckpointsCommand command;
  command.job_id = job.job_id;
  (pinned ? command.pin : command.unpin).push_back(answer.folder);
  FPO_RETURN_IF_ERROR(jobs_->Put(std::move(job)).status());
  workers_->Send(holders.front(), command);
  return answer;
}

absl::StatusOr<std::vector<RetentionDecision>> CheckpointControl::Gc(const std::string& job_ref,
                                                                     bool dry_run) {
  FPO_ASSIGN_OR_RETURN(const JobPtr before, jobs_->Find(job_ref));
  const std::vector<RetentionDecision> decisions = PlanRetention(*before);
  if (dry_run) return decisions;
  if (HasAttempt(before->state)) return JobStillRuns(*before);
  Job job = *before;
  KeepCheckpointsCommand command;
  command.job_id = job.job_id;
  for (const RetentionDecision& decision : decisions) {
    if (decision.keep) continue;
    command.remove.push_back(decision.checkpoint.folder);
    std::erase_if(job.checkpoints,
                  [&](const Checkpoint& c) { return c.step == decision.checkpoint.step; });
  }
  if (command.remove.empty()) return decisions;
  const std::vector<std::string> holders = ConnectedHolders(job, *workers_);
  if (holders.empty()) return NoHolder(job, "the checkpoints");
  FPO_RETURN_IF_ERROR(jobs_->Put(std::move(job)).status());
  workers_->Send(holders.front(), command);
  return decisions;
}

}  // namespace fpo::coordinator
