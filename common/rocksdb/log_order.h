#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace fpo {

// Makes each write-ahead log durable before a write goes into the next one. Unsynced writes may be
// lost in a power cut, but then together with all later ones. RocksDB 7.8 alone does not guarantee
// that: an unsynced log may be missing or end early while the next one exists and is replayed as if
// nothing were missing. Costs one sync per log, some 64 MiB of writes. Thread-safe.
class LogOrder final : public rocksdb::EventListener {
 public:
  // `env` is RocksDB's, not owned; the store's files are in `folder`. `failed` is called for a log
  // that could not be synced; the write that began the next log continues.
  LogOrder(rocksdb::Env* env, std::string folder, std::function<void(absl::Status)> failed)
      : env_(env), folder_(std::move(folder)), failed_(std::move(failed)) {}

  // Called by RocksDB after it began a log and before the first write to it.
  void OnMemTableSealed(const rocksdb::MemTableInfo&) override;

 private:
  // Syncs the log before the newest, once.
  rocksdb::Status SyncEndedLog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  rocksdb::Env* const env_;
  const std::string folder_;
  const std::function<void(absl::Status)> failed_;
  absl::Mutex mutex_;
  uint64_t synced_ ABSL_GUARDED_BY(mutex_) = 0;  // the number of the last log that was synced
};

}  // namespace fpo
