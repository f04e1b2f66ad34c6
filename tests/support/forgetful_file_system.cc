#include "tests/support/forgetful_file_system.h"

#include <filesystem>
#include <utility>

namespace fpo::testing {
namespace {

namespace fs = std::filesystem;
using rocksdb::IOStatus;

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path().string(); }

}  // namespace

// Counts what is written and knows what of it is safe.
class ForgetfulFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path,
       std::shared_ptr<Content> content, ForgetfulFileSystem* system)
      : FSWritableFileOwnerWrapper(std::move(file)),
        path_(std::move(path)),
        content_(std::move(content)),
        system_(system) {}

  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override {
    const IOStatus spent = system_->Spend();
    if (spent.ok()) system_->Appending(path_);
    return spent.ok() ? target()->Append(data, options, debug) : spent;
  }
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  rocksdb::IODebugContext* debug) override {
    const IOStatus spent = system_->Spend();
    if (spent.ok()) system_->Appending(path_);
    return spent.ok() ? target()->Append(data, options, verification, debug) : spent;
  }
  IOStatus Truncate(uint64_t size, const rocksdb::IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
    const IOStatus spent = system_->Spend();
    return spent.ok() ? target()->Truncate(size, options, debug) : spent;
  }
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    IOStatus status = system_->Spend();
    if (status.ok()) status = target()->Flush(options, debug);  // of this machine: it stays on
    std::error_code gone;
    const uint64_t size = fs::file_size(path_, gone);  // the file's own count begins at its opening
    if (status.ok() && !gone) system_->Synced(content_.get(), size);
    return status;
  }
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(uint64_t, uint64_t, const rocksdb::IOOptions&,
                     rocksdb::IODebugContext*) override {
    return system_->Spend();  // promises nothing
  }

 private:
  const std::string path_;
  const std::shared_ptr<Content> content_;
  ForgetfulFileSystem* const system_;
};

class ForgetfulFileSystem::Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(std::unique_ptr<rocksdb::FSDirectory> folder, std::string path,
         ForgetfulFileSystem* system)
      : FSDirectoryWrapper(std::move(folder)), path_(std::move(path)), system_(system) {}

  IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    const IOStatus spent = system_->Spend();
    if (spent.ok()) system_->FolderSynced(path_);
    return spent;
  }
  IOStatus FsyncWithDirOptions(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  const std::string path_;
  ForgetfulFileSystem* const system_;
};

void ForgetfulFileSystem::CutPowerAfter(int64_t writes) {
  absl::MutexLock lock(&mu_);
  left_ = writes;
}

IOStatus ForgetfulFileSystem::Spend() {
  absl::MutexLock lock(&mu_);
  if (left_ <= 0) return IOStatus::IOError("the power is cut");
  --left_;
  return IOStatus::OK();
}

int64_t ForgetfulFileSystem::logs_out_of_order() const {
  absl::MutexLock lock(&mu_);
  return logs_out_of_order_;
}

void ForgetfulFileSystem::Appending(const std::string& path) {
  const auto is_log = [](const std::string& name) { return fs::path(name).extension() == ".log"; };
  if (!is_log(path)) return;
  absl::MutexLock lock(&mu_);
  // RocksDB's numbers have as many digits: names are in the order of their beginning.
  for (auto name = names_.begin(); name != names_.end() && name->first < path; ++name) {
    std::error_code gone;
    const uint64_t size = is_log(name->first) ? fs::file_size(name->first, gone) : 0;
    if (gone || size == 0) continue;
    const bool safe = name->second.durable && size <= name->second.content->synced;
    if (!safe) ++logs_out_of_order_;
  }
}

void ForgetfulFileSystem::Synced(Content* content, uint64_t bytes) {
  absl::MutexLock lock(&mu_);
  content->synced = bytes;
}

void ForgetfulFileSystem::FolderSynced(const std::string& folder) {
  const std::string path = fs::path(folder + "/").parent_path().string();
  absl::MutexLock lock(&mu_);
  for (auto& [name, entry] : names_) {
    if (FolderOf(name) == path) entry.durable = true;
  }
  std::erase_if(renames_, [&](const Rename& rename) {
    if (FolderOf(rename.to) != path) return false;
    std::error_code ignored;
    if (!rename.kept.empty()) fs::remove(rename.kept, ignored);
    return true;
  });
}

IOStatus ForgetfulFileSystem::NewWritableFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              rocksdb::IODebugContext* debug) {
  IOStatus status = Spend();
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (status.ok()) status = target()->NewWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  auto content = std::make_shared<Content>();
  {
    absl::MutexLock lock(&mu_);
    names_[path] = {content, false};
  }
  *result = std::make_unique<File>(std::move(file), path, std::move(content), this);
  return status;
}

IOStatus ForgetfulFileSystem::ReopenWritableFile(const std::string& path,
                                                 const rocksdb::FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSWritableFile>* result,
                                                 rocksdb::IODebugContext* debug) {
  IOStatus status = Spend();
  std::unique_ptr<rocksdb::FSWritableFile> file;
  if (status.ok()) status = target()->ReopenWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  std::shared_ptr<Content> content;
  {
    absl::MutexLock lock(&mu_);
    Entry& name = names_[path];
    if (!name.content) name = {std::make_shared<Content>(), true};  // of an earlier life
    content = name.content;
  }
  *result = std::make_unique<File>(std::move(file), path, std::move(content), this);
  return status;
}

IOStatus ForgetfulFileSystem::NewDirectory(const std::string& path,
                                           const rocksdb::IOOptions& options,
                                           std::unique_ptr<rocksdb::FSDirectory>* result,
                                           rocksdb::IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> folder;
  const IOStatus status = target()->NewDirectory(path, options, &folder, debug);
  if (status.ok()) *result = std::make_unique<Folder>(std::move(folder), path, this);
  return status;
}

IOStatus ForgetfulFileSystem::RenameFile(const std::string& from, const std::string& to,
                                         const rocksdb::IOOptions& options,
                                         rocksdb::IODebugContext* debug) {
  IOStatus status = Spend();
  if (!status.ok()) return status;
  Rename rename{from, to, ""};
  std::error_code none;
  fs::remove(to + ".before", none);
  fs::create_hard_link(to, to + ".before", none);
  if (!none) rename.kept = to + ".before";
  status = target()->RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mu_);
  const auto name = names_.find(from);
  if (name != names_.end()) {
    names_[to] = name->second;
    names_[to].durable = true;  // as a name; whether it is this file is the rename's question
    names_.erase(name);
  }
  renames_.push_back(std::move(rename));
  return status;
}

IOStatus ForgetfulFileSystem::LinkFile(const std::string& from, const std::string& to,
                                       const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) {
  IOStatus status = Spend();
  if (status.ok()) status = target()->LinkFile(from, to, options, debug);
  if (!status.ok()) return status;
  absl::MutexLock lock(&mu_);
  const auto name = names_.find(from);
  if (name != names_.end()) names_[to] = {name->second.content, false};
  return status;
}

IOStatus ForgetfulFileSystem::DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                                         rocksdb::IODebugContext* debug) {
  IOStatus status = Spend();
  if (status.ok()) status = target()->DeleteFile(path, options, debug);
  absl::MutexLock lock(&mu_);
  if (status.ok()) names_.erase(path);
  return status;
}

void ForgetfulFileSystem::Reboot() {
  absl::MutexLock lock(&mu_);
  std::error_code ignored;
  for (auto rename = renames_.rbegin(); rename != renames_.rend(); ++rename) {
    const bool undone = Below(2) == 0;
    if (undone) fs::rename(rename->to, rename->from, ignored);
    if (undone && !rename->kept.empty()) fs::rename(rename->kept, rename->to, ignored);
    if (undone) names_.erase(rename->to);
    if (!undone && !rename->kept.empty()) fs::remove(rename->kept, ignored);
  }
  renames_.clear();
  for (const auto& [path, name] : names_) {
    const uint64_t size = fs::file_size(path, ignored);
    if (ignored) continue;  // linked or deleted past us
    if (!name.durable && Below(2) == 0) {
      fs::remove(path, ignored);
    } else if (size > name.content->synced) {
      fs::resize_file(path, name.content->synced + Below(size - name.content->synced + 1), ignored);
    }
  }
  names_.clear();
  left_ = INT64_MAX;
}

}  // namespace fpo::testing
