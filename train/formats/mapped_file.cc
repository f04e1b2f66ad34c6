#include "train/formats/mapped_file.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"

namespace fpo::train {

MappedFile::Stamp MappedFile::StampOf(const struct stat& info) {
  const auto nanoseconds = [](const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  FileDescriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.is_open()) return PosixError(errno, "open", path);
  const std::shared_ptr<MappedFile> file(new MappedFile(path, std::move(opened)));
  struct stat info {};
  if (::fstat(file->file_.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  }
  file->stamp_ = StampOf(info);
  file->size_ = static_cast<size_t>(info.st_size);
  if (file->size_ == 0) return file;
  void* const data =
      ::mmap(nullptr, file->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->file_.get(), 0);
  if (data == MAP_FAILED) {
    return PosixError(errno, absl::StrCat("map ", file->size_, " bytes of"), path);
  }
  file->data_ = data;
  return file;
}

absl::Status MappedFile::CheckUnchanged() const {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) return PosixError(errno, "look at", path_);
  if (StampOf(info) == stamp_) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path_,
                   " was changed while it was in use: what was read of it may be of two "
                   "files; leave a job's files alone until it has ended"));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void MappedFile::Forget(absl::string_view part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t end = (begin + part.size()) / page * page;
  if (first < end) ::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

}  // namespace fpo::train
