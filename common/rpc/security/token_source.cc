#include "common/rpc/security/token_source.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/access_list.h"
#include "common/clock.h"
#include "common/observe/log.h"

namespace fpo {
namespace {

constexpr absl::Duration kTokenLook = absl::Seconds(1);

}  // namespace

std::string FileVersion(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return "";
  // The time of the last change of the inode: a new mode or owner counts, too.
  return absl::StrCat(info.st_size, " ", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, " ",
                      info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec, " ", info.st_ino);
}

std::string TokenSource::Get() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = BootNow();
  if (now - looked_ < kTokenLook) return token_;
  looked_ = now;
  std::string version = FileVersion(path_);
  if (version == version_) return token_;
  absl::StatusOr<std::string> token = ReadTokenFile(path_);
  if (token.ok()) {
    version_ = std::move(version);
    token_ = *std::move(token);
  } else {
    Log(LogLevel::kError, "the token file cannot be read; the last token stays in use",
        {{"error", std::string(token.status().message())}});
  }
  return token_;
}

}  // namespace fpo
