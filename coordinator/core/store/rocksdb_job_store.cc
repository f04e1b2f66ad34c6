#include "coordinator/core/store/rocksdb_job_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rocksdb/database.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

DatabaseOptions OptionsFor(const std::string& path, int64_t reserve_bytes) {
  DatabaseOptions options;
  options.path = path;
  for (const std::string& name : JobFamilies()) {
    const bool is_text = name == "events" || name == "logs";
    options.families.push_back(
        {.name = name, .profile = is_text ? FamilyProfile::kText : FamilyProfile::kSmall});
  }
  options.free_bytes_min = reserve_bytes;
  options.free_fraction_min = 0.0;
  // A busy job writes hundreds of kilobytes of progress: a larger buffer would only keep it in
  // memory longer and make a restart read more of the log.
  options.write_buffer_bytes = 8 << 20;
  // Jobs are in memory and their texts are read once or twice: a larger cache only holds old pages.
  options.block_cache_bytes = 16 << 20;
  options.damaged_log_is_loss = true;
  return options;
}

// Advice on damage, which this store never repairs by itself: it holds acknowledged data.
absl::Status WithAdvice(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  return absl::DataLossError(absl::StrCat(
      "the jobs' store is damaged, and nothing in it was changed: ", status.message(),
      ". Restore a backup into a new folder (fpo-coordinator --restore BACKUP --data NEW), or run "
      "fpo-coordinator --repair with the same --data to save what can be read"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksdbJobStore>> RocksdbJobStore::Open(const std::string& path,
                                                                       int64_t reserve_bytes) {
  return OpenFolder(OptionsFor(path, reserve_bytes));
}

absl::StatusOr<std::unique_ptr<RocksdbJobStore>> RocksdbJobStore::OpenRepaired(
    const std::string& path) {
  absl::StatusOr<std::unique_ptr<RocksdbJobStore>> as_it_is = Open(path);
  if (!absl::IsDataLoss(as_it_is.status())) return as_it_is;
  DatabaseOptions options = OptionsFor(path, kReserveBytes);
  options.repair = true;
  return OpenFolder(std::move(options));
}

absl::StatusOr<std::unique_ptr<RocksdbJobStore>> RocksdbJobStore::OpenFolder(
    DatabaseOptions options) {
  const bool is_read_only = options.read_only;
  const int64_t reserve_bytes = options.free_bytes_min;
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(std::move(options));
  if (!database.ok()) return WithAdvice(database.status());
  const Database* const raw = database->get();
  std::unique_ptr<RocksdbJobStore> store(
      new RocksdbJobStore(raw, *std::move(database), reserve_bytes));
  if (is_read_only) return store;
  FPO_RETURN_IF_ERROR(store->CheckSchema());
  return store;
}

absl::StatusOr<std::unique_ptr<RocksdbJobStore>> RocksdbJobStore::OpenReadOnly(
    const std::string& path) {
  DatabaseOptions options = OptionsFor(path, kReserveBytes);
  options.read_only = true;
  return OpenFolder(std::move(options));
}

absl::Status RocksdbJobStore::CopyTo(const std::string& folder) const {
  return database_->Checkpoint(folder);
}

absl::StatusOr<std::vector<Job>> RocksdbJobStore::LoadJobs() {
  absl::StatusOr<std::vector<Job>> jobs = KeyedJobStore::LoadJobs();
  if (!jobs.ok()) return WithAdvice(jobs.status());
  return jobs;
}

absl::StatusOr<std::unique_ptr<KeyValues>> OpenEmptyJobFolder(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                       Database::Open(OptionsFor(path, RocksdbJobStore::kReserveBytes)));
  return std::unique_ptr<KeyValues>(std::move(database));
}

}  // namespace fpo::coordinator
