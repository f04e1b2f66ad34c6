#pragma once

#include <rocksdb/file_system.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace fpo::testing {

// A file system whose machine can lose its power: what was written but not synced may be gone then,
// wholly or from some byte on; so may a file or a new name whose folder was not synced. Deletions
// are never undone. Thread-safe, but for Reboot.
class ForgetfulFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit ForgetfulFileSystem(uint64_t seed)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), random_(seed) {}
  const char* Name() const override { return "ForgetfulFileSystem"; }

  void CutPowerAfter(int64_t writes);  // operations that change something; then all of them fail
  // How often something was written to a log of writes (*.log) while a part of an earlier one could
  // still be lost, since the start.
  int64_t logs_out_of_order() const;
  // Nobody has a file open: drops what the cut took, and writing works again.
  void Reboot();

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* result,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* result,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Folder;

  // Shared by all names of a file.
  struct Content {
    uint64_t synced = 0;  // bytes
  };
  struct Entry {
    std::shared_ptr<Content> content;
    bool durable = false;
  };
  struct Rename {
    std::string from, to;
    std::string kept;  // what `to` was before; empty: nothing
  };

  rocksdb::IOStatus Spend();  // one operation; an error when the power is cut
  void Appending(const std::string& path);
  void Synced(Content* content, uint64_t bytes);
  void FolderSynced(const std::string& folder);
  uint64_t Below(uint64_t bound) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return random_() % bound; }

  mutable absl::Mutex mu_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mu_);
  int64_t left_ ABSL_GUARDED_BY(mu_) = INT64_MAX;
  int64_t logs_out_of_order_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Entry> names_ ABSL_GUARDED_BY(mu_);  // of files written since the start
  std::vector<Rename> renames_ ABSL_GUARDED_BY(mu_);         // whose folder is not synced yet
};

}  // namespace fpo::testing
