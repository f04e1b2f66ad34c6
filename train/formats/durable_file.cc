#include "train/formats/durable_file.h"

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
// The disk keeps up with the writer, so that no long silent wait is left for Finish.
constexpr int64_t kSyncBytes = int64_t{256} << 20;

absl::Status WriteAll(int descriptor, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno,
                                 absl::StrCat("cannot write ", bytes.size(), " bytes to ", path));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableFile>> DurableFile::Create(const std::string& path) {
  const std::string part = path + ".part";
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot create ", part));
  return std::unique_ptr<DurableFile>(new DurableFile(path, descriptor));
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink((path_ + ".part").c_str());
}

absl::Status DurableFile::Append(absl::string_view bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  FPO_RETURN_IF_ERROR(Flush());
  FPO_RETURN_IF_ERROR(WriteAll(descriptor_, bytes, path_));
  unsynced_ += static_cast<int64_t>(bytes.size());
  if (unsynced_ < kSyncBytes) return absl::OkStatus();
  unsynced_ = 0;
  if (::fdatasync(descriptor_) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot sync ", path_));
}

absl::Status DurableFile::Flush() {
  FPO_RETURN_IF_ERROR(WriteAll(descriptor_, buffer_, path_));
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status DurableFile::Finish() {
  FPO_RETURN_IF_ERROR(Flush());
  if (::fsync(descriptor_) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot sync ", path_));
  }
  const std::string part = path_ + ".part";
  if (::rename(part.c_str(), path_.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot rename ", part, " to ", path_));
  }
  ::close(descriptor_);
  descriptor_ = -1;
  return SyncFolder(std::filesystem::path(path_).parent_path().string());
}

absl::Status WriteFileDurably(const std::string& path, absl::string_view bytes) {
  FPO_ASSIGN_OR_RETURN(auto file, DurableFile::Create(path));
  FPO_RETURN_IF_ERROR(file->Append(bytes));
  return file->Finish();
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, int64_t bytes_max) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  struct stat info {};
  std::string bytes;
  absl::Status status;
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    status = absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  } else if (info.st_size > bytes_max) {
    status = absl::InvalidArgumentError(
        absl::StrCat(path, " has ", info.st_size, " bytes; at most ", bytes_max, " are read"));
  } else {
    bytes.resize(static_cast<size_t>(info.st_size));
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t got = ::read(descriptor, bytes.data() + done, bytes.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) status = absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    bytes.resize(done);
  }
  ::close(descriptor);
  if (!status.ok()) return status;
  return bytes;
}

absl::Status SyncFolder(const std::string& folder) {
  const std::string name = folder.empty() ? "." : folder;
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open folder ", name));
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some network file systems cannot sync a folder; the rename itself has happened.
  if (result != 0 && error != EINVAL && error != ENOTSUP) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot sync folder ", name));
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
