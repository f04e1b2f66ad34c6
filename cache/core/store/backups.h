#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cache/core/store/rocksdb_store.h"

namespace fpo::cache {

struct BackupInfo {
  std::string path;
  int64_t records = 0;
  int64_t bytes = 0;
};

// Copies of a store in folders named by their time; the newest few are kept. On the store's own
// file system a copy is made of hard links and takes milliseconds. Thread-safe; one at a time.
class Backups {
 public:
  struct Options {
    std::string folder;  // empty: no copies are made
    int keep = 24;
  };

  Backups(Options options, const RocksdbStore* store)
      : options_(std::move(options)), store_(*store) {}

  // A copy gets its name, and counts, only after it could be opened and every file matched its
  // checksum. FailedPrecondition: no folder.
  absl::StatusOr<BackupInfo> Make(absl::Time now);
  // When the newest copy in the folder was made; nothing: there is none.
  std::optional<absl::Time> NewestTime() const;

 private:
  absl::Status RemoveOld() const;

  const Options options_;
  const RocksdbStore& store_;
  absl::Mutex mutex_;
};

}  // namespace fpo::cache
