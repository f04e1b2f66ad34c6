#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/backup/store_backups.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/store/keyed_job_store.h"

namespace fpo::coordinator {

// By how much epochs and revisions grow when a store loses its newest changes: more than any
// attempt, worker or reader of the lost time has seen.
inline constexpr uint64_t kBeyondTheSeen = uint64_t{1} << 20;

struct RestoreReport {
  BackupManifest manifest;                 // of the backup
  std::vector<std::string> damaged_jobs;   // ids of jobs that were unreadable when it was made
  std::vector<std::string> fenced_jobs;    // ids of jobs whose running attempt no longer counts
  std::vector<std::string> waiting_jobs;   // ids of jobs that wait
  std::vector<std::string> terminal_jobs;  // ids of jobs that had ended
};

// Takes an older state of a store into use: epochs and revision grow by 2^20, so that nothing of
// the lost time counts; attempts that had processes are to be replaced once these are known to be
// gone, and no attempt starts before agents had time to reconnect. The store has no other user.
absl::StatusOr<RestoreReport> MoveBeyondTheSeen(KeyedJobStore* store, absl::Time now);

// Copies a backup, which is verified, into a folder that does not exist (or is empty) and moves it
// beyond what was seen. All or nothing. AlreadyExists: the folder holds something. DataLoss: the
// backup is damaged.
absl::StatusOr<RestoreReport> RestoreJobStore(const std::string& backup, const std::string& target,
                                              absl::Time now);

}  // namespace fpo::coordinator
