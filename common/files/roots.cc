#include "common/files/roots.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr int kLevelsMax = 8;
constexpr int kTriesMax = 16;  // EAGAIN: something above was renamed meanwhile

std::string Normal(const std::string& path) {
  std::string normal = fs::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return absl::StartsWith(normal, "//") ? normal.substr(1) : normal;
}

bool HasParent(const std::string& path) {
  for (const fs::path& part : fs::path(path)) {
    if (part == "..") return true;
  }
  return false;
}

// 0 or the error number.
int OpenBeneath(const std::string& root, const std::string& rest, uint64_t resolve) {
  const FileDescriptor folder(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return errno;
  if (rest.empty()) return 0;
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = resolve | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const FileDescriptor found(
        static_cast<int>(syscall(SYS_openat2, folder.get(), rest.c_str(), &how, sizeof(how))));
    if (found.is_open()) return 0;
    if (errno != EAGAIN && errno != EINTR) return errno;
  }
  return EAGAIN;
}

absl::Status Outside(const std::string& path, const std::vector<std::string>& folders) {
  return absl::PermissionDeniedError(absl::StrCat(
      path, " is not below a folder that this worker opens to jobs (",
      folders.empty() ? std::string("it has none") : absl::StrJoin(folders, ", "), ")"));
}

absl::Status StatusOf(int error_number, const std::string& path, const std::string& root) {
  if (error_number == 0) return absl::OkStatus();
  if (error_number == EXDEV || error_number == ELOOP) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": a symbolic link in it leads out of ", root));
  }
  return PosixError(error_number, "open", path);
}

}  // namespace

Roots::Roots(std::vector<std::string> folders) : folders_(std::move(folders)) {
  for (std::string& folder : folders_) folder = Normal(folder);
}

const std::string* Roots::RootOf(const std::string& path, std::string* rest) const {
  // The kernel follows a link before "..", so such a path says nothing about where it leads.
  if (HasParent(path)) return nullptr;
  const std::string whole = Normal(path);
  for (const std::string& folder : folders_) {
    if (whole == folder) {
      rest->clear();
      return &folder;
    }
    const std::string prefix = folder == "/" ? folder : folder + "/";
    if (!absl::StartsWith(whole, prefix)) continue;
    *rest = whole.substr(prefix.size());
    return &folder;
  }
  return nullptr;
}

absl::Status Roots::Check(const std::string& path) const {
  std::string rest;
  const std::string* const root = RootOf(path, &rest);
  if (root == nullptr) return Outside(path, folders_);
  return StatusOf(OpenBeneath(*root, rest, 0), path, *root);
}

absl::Status Roots::CheckTree(const std::string& path, size_t entries_max) const {
  FPO_RETURN_IF_ERROR(Check(path));
  std::error_code error;
  if (!fs::is_directory(path, error)) return absl::OkStatus();
  size_t entries = 0;
  fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (++entries > entries_max || it.depth() > kLevelsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds more than ", entries_max, " names or more than ", kLevelsMax,
                       " levels of folders; give the job a folder of its own files"));
    }
    std::error_code ignored;
    if (!it->is_symlink(ignored)) continue;
    const absl::Status link = Check(it->path().string());
    if (!link.ok() && !absl::IsNotFound(link)) return link;  // a dangling one gives nothing
  }
  return error ? PosixError(error.value(), "list", path) : absl::OkStatus();
}

absl::Status Roots::CheckNew(const std::string& path) const {
  std::string rest;
  const std::string* const root = RootOf(path, &rest);
  if (root == nullptr) return Outside(path, folders_);
  // The longest part of it that exists.
  for (fs::path part(rest);; part = part.parent_path()) {
    const int error_number = OpenBeneath(*root, part.string(), RESOLVE_NO_SYMLINKS);
    if (error_number != ENOENT || part.empty()) return StatusOf(error_number, path, *root);
  }
}

}  // namespace fpo
