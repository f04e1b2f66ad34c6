#include "common/files/posix_status.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/files/file_descriptor.h"

namespace fpo {
namespace {

absl::StatusCode CodeOf(int error_number) {
  switch (error_number) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case EISDIR:
    case ENOTDIR:
    case ENOTEMPTY:
      return absl::StatusCode::kFailedPrecondition;
    case EINVAL:
    case ENAMETOOLONG:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

// What to do about it. Empty: unknown.
ErrorInfo InfoOf(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {.reason = ErrorReason::kNoFile,
              .hint = "is the path right? the folder in it must exist"};
    case EISDIR:
      return {.reason = ErrorReason::kIsFolder, .hint = "name a file, not a folder"};
    case EACCES:
    case EPERM:
      return {.reason = ErrorReason::kFileDenied, .hint = "check its permissions: ls -ld"};
    case EROFS:
      return {.reason = ErrorReason::kFileDenied, .hint = "name a place that is writable"};
    case ENOSPC:
    case EDQUOT:
      return {.reason = ErrorReason::kDiskFull,
              .hint = "free space there (df -h), or name another place"};
    default:
      return {};
  }
}

}  // namespace

absl::Status PosixError(int error_number, absl::string_view call, absl::string_view path) {
  absl::Status error(
      CodeOf(error_number),
      absl::StrCat(call, " ", path, ": ", std::generic_category().message(error_number)));
  const ErrorInfo info = InfoOf(error_number);
  if (info.reason != ErrorReason::kUnspecified) AttachErrorInfo(&error, info);
  return error;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return PosixError(errno, "open", path);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return PosixError(errno, "fstat", path);
  if (S_ISDIR(info.st_mode)) return PosixError(EISDIR, "read", path);

  const auto too_long = [&](int64_t bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("read ", path, ": ", bytes, " bytes or more, the limit is ", max_bytes));
  };
  if (info.st_size > max_bytes) return too_long(info.st_size);
  // Pipes and files of /proc have no size: read to the end, at most one byte past the limit.
  std::string content;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = read(file.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PosixError(errno, "read", path);
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (static_cast<int64_t>(content.size()) > max_bytes) {
      return too_long(static_cast<int64_t>(content.size()));
    }
  }
}

}  // namespace fpo
