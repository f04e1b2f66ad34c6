#include "common/files/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
// Syncs along the way, so that no long silent wait is left for Finish.
constexpr int64_t kSyncBytes = int64_t{256} << 20;

std::string ParentFolder(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::Status WriteAll(const FileDescriptor& file, absl::string_view bytes,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PosixError(errno, "write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<DurableFile>> DurableFile::Create(const std::string& path) {
  std::string unfinished = absl::StrCat(path, ".", RandomId(4), ".tmp");
  FileDescriptor file(
      open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.is_open()) return PosixError(errno, "write", path);
  return std::unique_ptr<DurableFile>(
      new DurableFile(path, std::move(unfinished), std::move(file)));
}

DurableFile::~DurableFile() {
  if (file_.is_open()) unlink(unfinished_.c_str());
}

absl::Status DurableFile::Append(absl::string_view bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  FPO_RETURN_IF_ERROR(Flush());
  FPO_RETURN_IF_ERROR(WriteAll(file_, bytes, path_));
  unsynced_ += static_cast<int64_t>(bytes.size());
  if (unsynced_ < kSyncBytes) return absl::OkStatus();
  unsynced_ = 0;
  if (fdatasync(file_.get()) != 0) return PosixError(errno, "fsync", path_);
  return absl::OkStatus();
}

absl::Status DurableFile::Flush() {
  FPO_RETURN_IF_ERROR(WriteAll(file_, buffer_, path_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status DurableFile::Finish() {
  FPO_RETURN_IF_ERROR(Flush());
  if (fsync(file_.get()) != 0) return PosixError(errno, "fsync", path_);
  FPO_RETURN_IF_ERROR(MayPublish(path_));
  if (rename(unfinished_.c_str(), path_.c_str()) != 0) return PosixError(errno, "rename", path_);
  file_.Close();
  return SyncParentFolder(path_);
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<DurableFile> file, DurableFile::Create(path));
  FPO_RETURN_IF_ERROR(file->Append(bytes));
  return file->Finish();
}

absl::Status SyncFolder(const std::string& folder) {
  const std::string name = folder.empty() ? "." : folder;
  const FileDescriptor directory(open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) return PosixError(errno, "open", name);
  if (fsync(directory.get()) == 0) return absl::OkStatus();
  // Some network file systems cannot sync a folder; the rename itself has happened.
  if (errno == EINVAL || errno == ENOTSUP) return absl::OkStatus();
  return PosixError(errno, "fsync", name);
}

absl::Status SyncParentFolder(const std::string& path) { return SyncFolder(ParentFolder(path)); }

absl::Status MakeParentFolder(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot create ", parent.string(), ": ", error.message()));
}

}  // namespace fpo
