#include "coordinator/rpc/backup_schedule.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"

namespace fpo::coordinator {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr absl::Duration kRetry = absl::Minutes(5);

}  // namespace

BackupSchedule::BackupSchedule(const Dependencies& dependencies, absl::Duration every)
    : dependencies_(dependencies),
      every_(every),
      last_success_(dependencies.registry->AddGauge(
          "fpo_backup_last_success_timestamp_seconds",
          "When the newest backup of the jobs' store was begun; 0: there is none.")),
      failures_(dependencies.registry->AddCounter("fpo_backup_failures_total",
                                                  "Backups of the jobs' store that failed.")) {
  const std::string newest = StoreBackups::NewestIn(dependencies_.backups->folder());
  if (newest.empty()) return;
  const absl::StatusOr<BackupManifest> manifest = ReadBackupManifest(newest);
  if (!manifest.ok()) return;
  last_success_.Set(absl::ToDoubleSeconds(manifest->time - absl::UnixEpoch()));
  const absl::Duration age = dependencies_.wall->Now() - manifest->time;
  due_ = dependencies_.steady->Now() +
         std::clamp(every_ - age, absl::ZeroDuration(), every_);  // the clock may have jumped
}

void BackupSchedule::Start() {
  if (every_ <= absl::ZeroDuration() || dependencies_.backups->folder().empty()) return;
  ticker_.emplace(kLook, [this](absl::Time) { Turn(); });
}

void BackupSchedule::Stop() {
  if (ticker_) ticker_->Stop();
}

void BackupSchedule::Turn() {
  if (dependencies_.steady->Now() < due_) return;
  const bool made = MakeNow().ok();
  due_ = dependencies_.steady->Now() + (made ? every_ : std::min(every_, kRetry));
}

absl::StatusOr<StoreBackup> BackupSchedule::MakeNow() {
  absl::StatusOr<StoreBackup> made = dependencies_.backups->Make(dependencies_.wall->Now());
  if (!made.ok()) {
    failures_.Add(1);
    Log(LogLevel::kError,
        absl::StrCat("the jobs' store was not backed up: ", made.status().message()));
    return made;
  }
  last_success_.Set(absl::ToDoubleSeconds(made->manifest.time - absl::UnixEpoch()));
  Log(LogLevel::kInfo, "backed the jobs' store up",
      {{"path", made->path},
       {"jobs", absl::StrCat(made->manifest.jobs)},
       {"bytes", absl::StrCat(made->manifest.bytes())},
       {"revision", absl::StrCat(made->manifest.revision)}});
  return made;
}

}  // namespace fpo::coordinator
