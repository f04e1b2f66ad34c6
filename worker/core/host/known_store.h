#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/values/store_mark.h"

namespace fpo::worker {

// The coordinator's store that this agent works for, kept in WORK/store. A coordinator that came up
// with another data folder, or with an older copy of it, does not know the attempts that run here:
// what it says about them is not obeyed. Thread-safe.
class KnownStore {
 public:
  // Nothing is known in a new folder. DataLoss names a file that cannot be read.
  static absl::StatusOr<std::unique_ptr<KnownStore>> Open(const std::string& work_dir);

  StoreMark mark() const;
  // FailedPrecondition (WRONG_STORE). A mark without an id, of an older coordinator, is accepted.
  absl::Status Check(const StoreMark& offered) const;
  // Takes over an accepted mark, in memory.
  void Saw(const StoreMark& accepted);
  void SawRevision(uint64_t revision);
  // Writes the mark if it has changed; blocks on the disk.
  absl::Status Save();

  // Makes the folder, which no agent has open, forget its store on purpose. Unsent lines are of
  // that store: they are set aside in WORK/spool-of-ID. Returns what was forgotten; NotFound: there
  // was nothing.
  static absl::StatusOr<StoreMark> Forget(const std::string& work_dir);

 private:
  explicit KnownStore(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  mutable absl::Mutex mutex_;
  StoreMark mark_ ABSL_GUARDED_BY(mutex_);
  absl::Mutex file_mutex_;
  StoreMark saved_ ABSL_GUARDED_BY(file_mutex_);
};

}  // namespace fpo::worker
