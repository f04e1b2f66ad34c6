#include "coordinator/core/backup/store_backups.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/store/not_copied.h"
#include "coordinator/core/store/rocksdb_job_store.h"

namespace fpo::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kBackupPrefix[] = "jobs-";
constexpr char kUnfinishedBackup[] = ".part";

// By time, the oldest first.
absl::StatusOr<std::vector<std::string>> FinishedIn(const std::string& folder) {
  std::vector<std::string> copies;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, kBackupPrefix) && !absl::EndsWith(name, kUnfinishedBackup)) {
      copies.push_back(entry.path().string());
    }
  }
  if (error) return PosixError(error.value(), "list", folder);
  std::sort(copies.begin(), copies.end());
  return copies;
}

}  // namespace

std::string StoreBackups::NewestIn(const std::string& folder) {
  const auto copies = FinishedIn(folder);
  return copies.ok() && !copies->empty() ? copies->back() : "";
}

absl::StatusOr<StoreBackup> StoreBackups::Make(absl::Time now) {
  if (options_.folder.empty()) {
    return WithErrorInfo(
        absl::FailedPreconditionError("this coordinator has no folder for backups"),
        {.reason = ErrorReason::kNoBackupFolder,
         .hint = "start fpo-coordinator with --backup-dir DIR"});
  }
  absl::MutexLock lock(&mutex_);
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) return PosixError(error.value(), "mkdir", options_.folder);
  const std::string path =
      absl::StrCat(options_.folder, "/", kBackupPrefix,
                   absl::FormatTime("%Y%m%dT%H%M%E3SZ", now, absl::UTCTimeZone()));
  if (fs::exists(path)) return absl::AlreadyExistsError(absl::StrCat(path, " is there already"));
  const std::string part = path + kUnfinishedBackup;
  fs::remove_all(part, error);
  absl::StatusOr<StoreBackup> made = MakeIn(part, now);
  if (!made.ok()) {
    fs::remove_all(part, error);
    return NotCopied(made.status(), options_.folder);
  }
  fs::rename(part, path, error);
  if (error) return PosixError(error.value(), "rename", path);
  FPO_RETURN_IF_ERROR(SyncParentFolder(path));
  made->path = path;
  FPO_RETURN_IF_ERROR(RemoveOld());
  return made;
}

absl::StatusOr<StoreBackup> StoreBackups::MakeIn(const std::string& part, absl::Time now) const {
  FPO_RETURN_IF_ERROR(store_.CopyTo(part));
  StoreBackup backup;
  backup.manifest.time = now;
  {
    FPO_ASSIGN_OR_RETURN(const std::unique_ptr<RocksdbJobStore> copy,
                         RocksdbJobStore::OpenReadOnly(part));
    FPO_ASSIGN_OR_RETURN(const std::vector<Job> jobs, copy->LoadJobs());
    FPO_ASSIGN_OR_RETURN(const StoreIdentity identity, copy->LoadIdentity());
    backup.manifest.store_id = identity.id;
    backup.manifest.revision = identity.revision;
    backup.manifest.jobs = static_cast<int64_t>(jobs.size());
  }
  FPO_ASSIGN_OR_RETURN(backup.manifest.files, DigestFiles(part));
  FPO_RETURN_IF_ERROR(WriteBackupManifest(part, backup.manifest));
  FPO_RETURN_IF_ERROR(SyncFolder(part));
  return backup;
}

absl::Status StoreBackups::RemoveOld() const {
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> copies, FinishedIn(options_.folder));
  const auto keep = static_cast<size_t>(options_.keep);
  for (size_t i = 0; i + keep < copies.size(); ++i) {
    // Under the name of an unfinished one, so that a half-removed copy does not count.
    const std::string going = copies[i] + kUnfinishedBackup;
    std::error_code error;
    fs::rename(copies[i], going, error);
    if (!error) fs::remove_all(going, error);
    if (error) return PosixError(error.value(), "remove", copies[i]);
  }
  return absl::OkStatus();
}

}  // namespace fpo::coordinator
