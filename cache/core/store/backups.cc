#include "cache/core/store/backups.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/store/not_copied.h"

namespace fpo::cache {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "cache-";
constexpr char kUnfinished[] = ".part";

}  // namespace

absl::StatusOr<BackupInfo> Backups::Make(absl::Time now) {
  if (options_.folder.empty()) {
    return WithErrorInfo(
        absl::FailedPreconditionError("this cache has no folder for copies"),
        {.reason = ErrorReason::kNoBackupFolder, .hint = "start fpo-cache with --backups DIR"});
  }
  absl::MutexLock lock(&mutex_);
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) return PosixError(error.value(), "mkdir", options_.folder);
  BackupInfo info;
  info.path = absl::StrCat(options_.folder, "/", kPrefix,
                           absl::FormatTime("%Y%m%dT%H%M%E3SZ", now, absl::UTCTimeZone()));
  const StoreTotals totals = store_.Totals();
  info.records = totals.records;
  info.bytes = totals.bytes;
  const std::string part = info.path + kUnfinished;
  fs::remove_all(part, error);
  const absl::Status copied = store_.CopyTo(part);
  if (!copied.ok()) {
    fs::remove_all(part, error);
    return NotCopied(copied, options_.folder);
  }
  fs::rename(part, info.path, error);
  if (error) return PosixError(error.value(), "rename", info.path);
  FPO_RETURN_IF_ERROR(SyncParentFolder(info.path));
  FPO_RETURN_IF_ERROR(RemoveOld());
  return info;
}

absl::Status Backups::RemoveOld() const {
  std::vector<std::string> copies;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, kPrefix) && !absl::EndsWith(name, kUnfinished)) {
      copies.push_back(entry.path().string());
    }
  }
  if (error) return PosixError(error.value(), "list", options_.folder);
  std::sort(copies.begin(), copies.end());  // by time
  const auto keep = static_cast<size_t>(options_.keep);
  for (size_t i = 0; i + keep < copies.size(); ++i) {
    fs::remove_all(copies[i], error);
    if (error) return PosixError(error.value(), "remove", copies[i]);
  }
  return absl::OkStatus();
}

}  // namespace fpo::cache
