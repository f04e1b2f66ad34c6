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
constexpr char kTimeFormat[] = "%E4Y%m%dT%H%M%E3SZ";

// Those in the folder, oldest first.
std::vector<std::string> CopiesIn(const std::string& folder, std::error_code* error) {
  std::vector<std::string> copies;
  for (const auto& entry : fs::directory_iterator(folder, *error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, kPrefix) && !absl::EndsWith(name, kUnfinished)) {
      copies.push_back(entry.path().string());
    }
  }
  std::sort(copies.begin(), copies.end());  // their names begin with the time
  return copies;
}

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
                           absl::FormatTime(kTimeFormat, now, absl::UTCTimeZone()));
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

std::optional<absl::Time> Backups::NewestTime() const {
  if (options_.folder.empty()) return std::nullopt;
  std::error_code error;
  const std::vector<std::string> copies = CopiesIn(options_.folder, &error);
  if (copies.empty()) return std::nullopt;
  const std::string name = fs::path(copies.back()).filename().string().substr(sizeof(kPrefix) - 1);
  absl::Time time;
  if (!absl::ParseTime(kTimeFormat, name, absl::UTCTimeZone(), &time, nullptr)) return std::nullopt;
  return time;
}

absl::Status Backups::RemoveOld() const {
  std::error_code error;
  const std::vector<std::string> copies = CopiesIn(options_.folder, &error);
  if (error) return PosixError(error.value(), "list", options_.folder);
  const auto keep = static_cast<size_t>(options_.keep);
  for (size_t i = 0; i + keep < copies.size(); ++i) {
    fs::remove_all(copies[i], error);
    if (error) return PosixError(error.value(), "remove", copies[i]);
  }
  return absl::OkStatus();
}

}  // namespace fpo::cache
