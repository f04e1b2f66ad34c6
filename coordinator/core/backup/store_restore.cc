#include "coordinator/core/backup/store_restore.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "coordinator/core/store/rocksdb_job_store.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kLost[] = "the coordinator's store was restored from a backup";

// The attempt has processes, or had: they are told to stop when their agents connect, and the job
// goes on when they are gone.
void FenceAttempt(Job* job, absl::Time now) {
  Attempt& attempt = job->attempts.back();
  if (!attempt.ended) {
    attempt.ended = now;
    attempt.end_class = EndClass::kInfrastructure;
    attempt.end_message = kLost;
    attempt.end_step = job->progress.step;
  }
  job->stop_by = now;
  job->state_since = now;
  if (IsStopping(job->state)) return;
  job->state = JobState::kRecovering;
  job->reason = absl::StrCat(kLost, ": waiting for the end of its processes");
}

}  // namespace

absl::StatusOr<RestoreReport> MoveBeyondTheSeen(KeyedJobStore* store, absl::Time now) {
  RestoreReport report;
  FPO_ASSIGN_OR_RETURN(StoreIdentity identity, store->LoadIdentity());
  FPO_ASSIGN_OR_RETURN(std::vector<Job> jobs, store->LoadJobs());
  report.damaged_jobs = store->damaged_jobs();
  for (Job& job : jobs) {
    job.epoch += kBeyondTheSeen;
    job.revision += kBeyondTheSeen;
    identity.revision = std::max(identity.revision, job.revision - kBeyondTheSeen);
    if (HasAttempt(job.state)) {
      FenceAttempt(&job, now);
      report.fenced_jobs.push_back(job.job_id);
    } else if (IsTerminal(job.state)) {
      report.terminal_jobs.push_back(job.job_id);
    } else {
      report.waiting_jobs.push_back(job.job_id);
    }
    FPO_RETURN_IF_ERROR(store->PutJob(job));
  }
  identity.revision += kBeyondTheSeen;
  identity.confirmed = true;
  identity.restored = true;
  FPO_RETURN_IF_ERROR(store->PutIdentity(identity));
  return report;
}

absl::StatusOr<RestoreReport> RestoreJobStore(const std::string& backup, const std::string& target,
                                              absl::Time now) {
  std::error_code error;
  if (fs::exists(target) && !fs::is_empty(target, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(target, " is not empty: restore into a new folder, then start with it"));
  }
  FPO_ASSIGN_OR_RETURN(BackupManifest manifest, ReadBackupManifest(backup));
  const std::string part = target + ".part";
  fs::remove_all(part, error);
  FPO_RETURN_IF_ERROR(CopyBackup(backup, manifest, part));
  RestoreReport report;
  {
    FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RocksdbJobStore> store, RocksdbJobStore::Open(part));
    FPO_ASSIGN_OR_RETURN(report, MoveBeyondTheSeen(store.get(), now));
  }
  report.manifest = std::move(manifest);
  fs::remove(target, error);  // an empty folder
  fs::rename(part, target, error);
  if (error) return PosixError(error.value(), "rename", target);
  FPO_RETURN_IF_ERROR(SyncParentFolder(target));
  return report;
}

}  // namespace fpo::coordinator
