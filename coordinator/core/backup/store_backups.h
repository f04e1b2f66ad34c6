#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/core/backup/backup_manifest.h"
#include "coordinator/core/store/keyed_job_store.h"

namespace fpo::coordinator {

struct StoreBackup {
  std::string path;
  BackupManifest manifest;
};

// Copies of the jobs' store in folders jobs-TIME, taken while it is in use; the newest few are
// kept. Every copy is a RocksDB folder, whatever engine the store has. Thread-safe; one at a time.
class StoreBackups {
 public:
  struct Options {
    std::string folder;  // empty: no copies are made
    int keep = 24;
  };
  StoreBackups(Options options, const KeyedJobStore* store)
      : options_(std::move(options)), store_(*store) {}

  // A copy gets its name, and counts, only after it was opened, every job in it was read and every
  // file's digest was taken. Older ones are removed only then. FailedPrecondition
  // (NO_BACKUP_FOLDER).
  absl::StatusOr<StoreBackup> Make(absl::Time now);

  const std::string& folder() const { return options_.folder; }
  // The path of the newest finished copy in a folder; empty: none.
  static std::string NewestIn(const std::string& folder);

 private:
  absl::StatusOr<StoreBackup> MakeIn(const std::string& part, absl::Time now) const;
  absl::Status RemoveOld() const;

  const Options options_;
  const KeyedJobStore& store_;
  absl::Mutex mutex_;  // held while a copy is made
};

}  // namespace fpo::coordinator
