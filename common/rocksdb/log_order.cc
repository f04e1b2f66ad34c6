#include "common/rocksdb/log_order.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/rocksdb/rocksdb_status.h"

namespace fpo {
namespace {

rocksdb::Status SyncFile(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env->ReopenWritableFile(path, &file, rocksdb::EnvOptions());
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  return status;
}

rocksdb::Status SyncFolder(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> folder;
  const rocksdb::Status status = env->NewDirectory(path, &folder);
  return status.ok() ? folder->Fsync() : status;
}

}  // namespace

void LogOrder::OnMemTableSealed(const rocksdb::MemTableInfo&) {
  absl::MutexLock lock(&mutex_);
  const rocksdb::Status synced = SyncEndedLog();
  if (!synced.ok()) failed_(FromRocksStatus(synced, "sync a log of writes that has ended"));
}

rocksdb::Status LogOrder::SyncEndedLog() {
  std::vector<std::string> names;
  rocksdb::Status status = env_->GetChildren(folder_, &names);
  std::vector<uint64_t> logs;
  for (const std::string& name : names) {
    uint64_t number = 0;
    absl::string_view digits = name;
    if (absl::ConsumeSuffix(&digits, ".log") && absl::SimpleAtoi(digits, &number)) {
      logs.push_back(number);
    }
  }
  if (!status.ok() || logs.size() < 2) return status;
  std::sort(logs.begin(), logs.end());
  const uint64_t ended = logs[logs.size() - 2];
  // Several families may be sealed when a log ends. Later calls find it synced; by then it may also
  // be deleted, and reopening it would recreate it.
  if (ended <= synced_) return status;
  status = SyncFile(env_, absl::StrCat(folder_, "/", absl::StrFormat("%06d.log", ended)));
  if (status.ok()) status = SyncFolder(env_, folder_);
  if (status.ok()) synced_ = ended;
  return status;
}

}  // namespace fpo
