#include "common/files/private_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/posix_status.h"
#include "common/observe/log.h"

namespace fpo {

absl::Status MakePrivateFolder(const std::string& path) {
  struct stat info = {};
  const bool was_there = stat(path.c_str(), &info) == 0;
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return PosixError(error.value(), "make the folder", path);
  if (was_there && (info.st_mode & 077) == 0) return absl::OkStatus();
  if (chmod(path.c_str(), 0700) != 0) return PosixError(errno, "close to other users", path);
  if (was_there) {
    Log(LogLevel::kWarning, "closed a folder to other users",
        {{"folder", path}, {"mode", absl::StrFormat("%04o, now 0700", info.st_mode & 07777)}});
  }
  return absl::OkStatus();
}

}  // namespace fpo
