#pragma once

#include <memory>
#include <string>
#include <utility>

#include "coordinator/core/store/keyed_job_store.h"

namespace fpo {
class Database;
struct DatabaseOptions;
}  // namespace fpo

namespace fpo::coordinator {

// Jobs in a RocksDB folder. Thread-safe.
class RocksdbJobStore final : public KeyedJobStore {
 public:
  // Created when absent. FailedPrecondition: another process has the folder, or a newer program
  // wrote it. DataLoss: it is damaged; Open leaves it unchanged.
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> Open(
      const std::string& path, int64_t reserve_bytes = kReserveBytes);
  // The same, but where damage prevents that, the damaged files and the logs that were not in
  // tables yet are moved into the folder's lost/. Older states of a job may reappear: only
  // RepairJobStore may let work continue from here.
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> OpenRepaired(const std::string& path);

  // A folder that no process has open, which stays as it is: writes fail.
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> OpenReadOnly(const std::string& path);

  // By hard links where the file system allows it.
  absl::Status CopyTo(const std::string& folder) const override;
  // Jobs, with advice when the folder is damaged.
  absl::StatusOr<std::vector<Job>> LoadJobs() override;

 private:
  RocksdbJobStore(const Database* database, std::unique_ptr<KeyValues> values,
                  int64_t reserve_bytes)
      : KeyedJobStore(std::move(values), reserve_bytes), database_(database) {}
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> OpenFolder(DatabaseOptions options);

  const Database* const database_;  // the base's
};

// The families of such a folder without a store in them, to copy one into.
absl::StatusOr<std::unique_ptr<KeyValues>> OpenEmptyJobFolder(const std::string& path);

}  // namespace fpo::coordinator
