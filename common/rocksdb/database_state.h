#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rocksdb/database.h"
#include "common/rocksdb/rocksdb_status.h"

// The internals of Database, for its own .cc files only.
namespace fpo {

inline constexpr absl::Duration kRecoverEveryMin = absl::Seconds(1);

// Remembers the first background error. RocksDB calls it from its own threads.
class ErrorLatch final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    Set(FromRocksStatus(*status, "background work"));
  }
  void Set(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    if (error_.ok()) error_ = std::move(status);
  }
  void Clear() {
    absl::MutexLock lock(&mutex_);
    error_ = absl::OkStatus();
  }
  absl::Status Get() const {
    absl::MutexLock lock(&mutex_);
    return error_;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

// Removes sorted files that a killed process left; their writes were never reported as stored.
void RemoveUnfinishedFiles(const std::string& folder);

// An open RocksDB with its handles, closed in the right order.
struct OpenDb {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  ~OpenDb() {
    if (!db) return;
    for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
    db->Close().PermitUncheckedError();
  }
};

struct Database::State {
  DatabaseOptions options;
  std::shared_ptr<ErrorLatch> latch = std::make_shared<ErrorLatch>();
  std::shared_ptr<rocksdb::Cache> block_cache;
  std::atomic<int64_t> repairs = 0;

  // Reader lock: use the open database. Writer lock: replace it.
  mutable absl::Mutex mutex;
  std::unique_ptr<OpenDb> open ABSL_GUARDED_BY(mutex);
  absl::Time next_recovery ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
  absl::Duration recovery_pause ABSL_GUARDED_BY(mutex) = kRecoverEveryMin;

  std::vector<rocksdb::ColumnFamilyDescriptor> Descriptors() const;
  rocksdb::DBOptions DbOptions() const;
  absl::StatusOr<std::unique_ptr<OpenDb>> OpenFolder();
  // As OpenFolder; when damage prevents it and the options allow a repair, the damaged files are
  // moved into the folder's lost/ and what is left is opened.
  absl::StatusOr<std::unique_ptr<OpenDb>> OpenOrRepair();
  absl::Status Repair();  // the folder must not be open
  absl::StatusOr<OpenDb*> Ready() const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    if (open) return open.get();
    return absl::UnavailableError(absl::StrCat("the store ", options.path, " is being reopened"));
  }
};

}  // namespace fpo
