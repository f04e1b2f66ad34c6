#include "coordinator/core/backup/store_repair.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/core/backup/store_restore.h"
#include "coordinator/core/store/rocksdb_job_store.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

// A job that had not ended is held for a person, who knows what its output folder holds.
void Hold(Job* job, absl::Time now) {
  if (!job->attempts.empty() && !job->attempts.back().ended) {
    Attempt& attempt = job->attempts.back();
    attempt.ended = now;
    attempt.end_class = EndClass::kInfrastructure;
    attempt.end_message = "the coordinator's store was repaired";
    for (Member& member : attempt.members) member.state = MemberState::kGone;
  }
  job->state = JobState::kHeld;
  job->state_since = now;
  job->reason =
      "held by a repair of the coordinator's store: check its output folder and its "
      "workers, then fpoctl release";
}

}  // namespace

absl::StatusOr<RepairReport> RepairJobStore(const std::string& path, absl::Time now) {
  if (!fs::exists(path + "/CURRENT")) {
    return absl::NotFoundError(absl::StrCat(path, " holds no store"));
  }
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RocksdbJobStore> store,
                       RocksdbJobStore::OpenRepaired(path));
  FPO_ASSIGN_OR_RETURN(std::vector<Job> jobs, store->LoadJobs());
  FPO_ASSIGN_OR_RETURN(StoreIdentity identity, store->LoadIdentity());
  RepairReport report;
  report.files = FilesIn(path + "/lost");
  report.damaged_jobs = store->damaged_jobs();
  for (Job& job : jobs) {
    job.epoch += kBeyondTheSeen;
    job.revision += kBeyondTheSeen;
    const bool waits_already = job.state == JobState::kHeld || job.state == JobState::kPaused;
    if (IsTerminal(job.state) || waits_already) {
      report.other_jobs.push_back(job.job_id);
    } else {
      Hold(&job, now);
      report.held_jobs.push_back(job.job_id);
    }
    FPO_RETURN_IF_ERROR(store->PutJob(job));
    identity.revision = std::max(identity.revision, job.revision - kBeyondTheSeen);
  }
  identity.revision += kBeyondTheSeen;
  identity.confirmed = true;
  FPO_RETURN_IF_ERROR(store->PutIdentity(identity));
  return report;
}

}  // namespace fpo::coordinator
