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

// Makes each write-ahead log durable before a write goes into the next one. Writes that do not wait
// for the disk may be lost with the machine's power, but then with all that came after them.
// RocksDB 7.8 alone does not keep that: a log that nobody synced may be gone or end early while the
// next one is there, and is then replayed as if nothing were missing. Costs one sync for each log,
// some 64 MiB of writes. Thread-safe.
class LogOrder final : public rocksdb::EventListener {
 public:
  // `env` is RocksDB's, not owned; the store's files are in `folder`. `failed` hears of a log that
  // could not be synced; the write that began the next log goes on.
  LogOrder(rocksdb::Env* env, std::string folder, std::function<void(absl::Status)> failed)
      : env_(env), folder_(std::move(folder)), failed_(std::move(failed)) {}

  // RocksDB calls it after it began a log and before the first write into it.
  void OnMemTableSealed(const rocksdb::MemTableInfo&) override;

 private:
  // Of the last log but one, once.
  rocksdb::Status SyncEndedLog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  rocksdb::Env* const env_;
  const std::string folder_;
  const std::function<void(absl::Status)> failed_;
  absl::Mutex mutex_;
  uint64_t synced_ ABSL_GUARDED_BY(mutex_) = 0;  // the number of the last log that was synced
};

}  // namespace fpo
