#include "common/files/open_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kPathBytesMax = 1024;
constexpr int kFolderLevelsMax = 16;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string LastPart(const std::string& name) { return name.substr(name.rfind('/') + 1); }

// Lists the files of one folder and of those below it.
class Lister {
 public:
  Lister(const std::string& path, size_t files_max) : path_(path), files_max_(files_max) {}

  absl::Status Walk(FileDescriptor folder, const std::string& prefix, int level) {
    if (level > kFolderLevelsMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path_, "/", prefix, " is more than ", kFolderLevelsMax, " folders deep"));
    }
    const int own = dup(folder.get());  // closedir closes it
    const std::unique_ptr<DIR, int (*)(DIR*)> names(own < 0 ? nullptr : fdopendir(own), closedir);
    if (names == nullptr) return PosixError(errno, "list", absl::StrCat(path_, "/", prefix));
    while (const dirent* entry = readdir(names.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      FPO_RETURN_IF_ERROR(Visit(folder, name, absl::StrCat(prefix, name), level));
    }
    return absl::OkStatus();
  }
  std::vector<OpenFolder::Entry> Take() {
    std::sort(found_.begin(), found_.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(found_);
  }

 private:
  absl::Status Visit(const FileDescriptor& folder, const std::string& name,
                     const std::string& relative, int level) {
    struct stat info {};
    // Skips what has vanished since.
    if (fstatat(folder.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return absl::OkStatus();
    }
    if (S_ISDIR(info.st_mode)) {
      FileDescriptor below(openat(folder.get(), name.c_str(), kFolderFlags));
      if (!below.is_open()) return absl::OkStatus();
      return Walk(std::move(below), relative + "/", level + 1);
    }
    if (!S_ISREG(info.st_mode)) return absl::OkStatus();
    if (found_.size() >= files_max_) {
      return absl::ResourceExhaustedError(
          absl::StrCat(path_, " holds more than ", files_max_, " files"));
    }
    found_.push_back({relative, static_cast<int64_t>(info.st_size)});
    return absl::OkStatus();
  }

  const std::string path_;
  const size_t files_max_;
  std::vector<OpenFolder::Entry> found_;
};

absl::Status CheckRegular(const FileDescriptor& file, const std::string& path, int64_t* bytes) {
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return PosixError(errno, "fstat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  *bytes = info.st_size;
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRelativeName(absl::string_view name) {
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(name.substr(0, 100)),
                                                   "\" is not a valid relative path: ", why));
  };
  if (name.empty()) return bad("it is empty");
  if (name.size() > kPathBytesMax) return bad(absl::StrCat("longer than ", kPathBytesMax));
  if (absl::StartsWith(name, "/")) return bad("it is absolute");
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == "." || part == "..")
      return bad("empty parts, . and .. are not allowed");
  }
  const bool control = std::any_of(name.begin(), name.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 32; });
  return control ? bad("it holds control characters") : absl::OkStatus();
}

absl::StatusOr<OpenFolder> OpenFolder::Open(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return PosixError(errno, "open", path);
  return OpenFolder(path, std::move(fd));
}

absl::StatusOr<OpenFolder> OpenFolder::Make(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return PosixError(error.value(), "make the folder", path);
  return Open(path);
}

absl::StatusOr<FileDescriptor> OpenFolder::ParentOf(const std::string& name, bool make) const {
  FPO_RETURN_IF_ERROR(CheckRelativeName(name));
  FileDescriptor folder(openat(fd_.get(), ".", kFolderFlags));
  std::vector<std::string> parts = absl::StrSplit(name, '/');
  parts.pop_back();
  std::string so_far = path_;
  for (const std::string& part : parts) {
    absl::StrAppend(&so_far, "/", part);
    if (make && mkdirat(folder.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
      return PosixError(errno, "make the folder", so_far);
    }
    FileDescriptor next(openat(folder.get(), part.c_str(), kFolderFlags));
    if (!next.is_open()) return PosixError(errno, "open", so_far);
    folder = std::move(next);
  }
  return folder;
}

absl::StatusOr<FileDescriptor> OpenFolder::OpenBelow(const std::string& name, int flags) const {
  const bool writes = (flags & O_CREAT) != 0;
  FPO_ASSIGN_OR_RETURN(const FileDescriptor parent, ParentOf(name, writes));
  // O_NONBLOCK: never waits for the other end of a pipe planted there.
  const int all = flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  FileDescriptor file(openat(parent.get(), LastPart(name).c_str(), all, 0644));
  const std::string path = absl::StrCat(path_, "/", name);
  if (!file.is_open() && errno == ELOOP) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a symbolic link, which is not followed"));
  }
  if (!file.is_open()) return PosixError(errno, "open", path);
  int64_t bytes = 0;
  FPO_RETURN_IF_ERROR(CheckRegular(file, path, &bytes));
  return file;
}

absl::StatusOr<std::vector<OpenFolder::Entry>> OpenFolder::List(const std::string& inside,
                                                                size_t files_max) const {
  Lister lister(path_, files_max);
  FPO_RETURN_IF_ERROR(CheckRelativeName(inside.empty() ? "x" : inside));
  const std::string any = inside.empty() ? "x" : inside + "/x";
  absl::StatusOr<FileDescriptor> folder = ParentOf(any, /*make=*/false);
  if (absl::IsNotFound(folder.status())) return std::vector<Entry>();
  FPO_RETURN_IF_ERROR(folder.status());
  FPO_RETURN_IF_ERROR(lister.Walk(*std::move(folder), inside.empty() ? "" : inside + "/", 0));
  return lister.Take();
}

absl::StatusOr<int64_t> OpenFolder::SizeOf(const std::string& name) const {
  FPO_ASSIGN_OR_RETURN(const FileDescriptor file, OpenToRead(name));
  int64_t bytes = 0;
  FPO_RETURN_IF_ERROR(CheckRegular(file, absl::StrCat(path_, "/", name), &bytes));
  return bytes;
}

absl::StatusOr<FileDescriptor> OpenFolder::OpenToRead(const std::string& name) const {
  return OpenBelow(name, O_RDONLY);
}

absl::StatusOr<FileDescriptor> OpenFolder::OpenToWrite(const std::string& name) const {
  return OpenBelow(name, O_RDWR | O_CREAT);
}

absl::Status OpenFolder::Rename(const std::string& from, const std::string& to) const {
  FPO_RETURN_IF_ERROR(CheckRelativeName(to));
  FPO_ASSIGN_OR_RETURN(const FileDescriptor parent, ParentOf(from, /*make=*/false));
  if (renameat(parent.get(), LastPart(from).c_str(), parent.get(), LastPart(to).c_str()) != 0) {
    return PosixError(errno, "rename", absl::StrCat(path_, "/", from));
  }
  if (fsync(parent.get()) != 0) return PosixError(errno, "fsync", path_);
  return absl::OkStatus();
}

}  // namespace fpo
