#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_descriptor.h"
#include "worker/core/process/rank_environment.h"

namespace fpo::worker {

// The list of rank processes in WORK/processes.json, so that the next agent of the same folder can
// kill those that a dead one left, and never a stranger with a reused pid. Thread-safe.
class ProcessJournal {
 public:
  // Locks the folder for this process (WORK/lock) and kills leftovers. FailedPrecondition: another
  // agent has the folder, or a leftover survives SIGKILL.
  static absl::StatusOr<std::unique_ptr<ProcessJournal>> Open(const std::string& work_dir);

  absl::Status Add(pid_t pid, const RankIdentity& identity);
  void Remove(pid_t pid);
  int killed_at_start() const { return killed_at_start_; }

 private:
  struct Entry {
    pid_t pid = 0;
    uint64_t start_time = 0;
    RankIdentity identity;
  };

  ProcessJournal(std::string path, FileDescriptor lock);
  absl::Status KillLeftovers();
  absl::Status Write() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static std::vector<Entry> Read(const std::string& path);

  const std::string path_;
  const FileDescriptor lock_;
  int killed_at_start_ = 0;
  absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
