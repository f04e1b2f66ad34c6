#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/observe/metrics.h"
#include "common/ticker.h"
#include "coordinator/core/backup/store_backups.h"

namespace fpo::coordinator {

// Makes backups of the jobs' store: at fixed intervals on a thread of its own, and on request. One
// that fails is tried again within minutes and shows in metrics and log. Thread-safe.
class BackupSchedule {
 public:
  struct Dependencies {  // not owned, outlive it
    StoreBackups* backups;
    const Clock* wall;
    const SteadyClock* steady;
    MetricsRegistry* registry;
  };
  // `every`: zero: only on request. The first is due when the newest in the folder is that old.
  BackupSchedule(const Dependencies& dependencies, absl::Duration every);

  void Start();
  void Stop();
  absl::StatusOr<StoreBackup> MakeNow();

 private:
  void Turn();

  const Dependencies dependencies_;
  const absl::Duration every_;
  Gauge last_success_;
  Counter failures_;
  absl::Time due_ = absl::InfinitePast();  // steady clock; used by the thread only
  std::optional<Ticker> ticker_;
};

}  // namespace fpo::coordinator
