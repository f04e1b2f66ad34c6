#include "coordinator/core/store/rocksdb_job_store.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/rocksdb/database.h"
#include "common/status_macros.h"
#include "coordinator/core/store/job_codec.h"
#include "coordinator/core/store/line_codec.h"
#include "coordinator/core/store/rocksdb_job_layout.h"

namespace fpo::coordinator {
namespace {

// 2: states HELD, PAUSING, PAUSED and PREEMPTING, which programs of version 1 cannot read.
constexpr int kSchemaVersion = 2;
constexpr char kSchemaKey[] = "schema_version";
constexpr char kWorkerPrefix[] = "worker/";

DatabaseOptions OptionsFor(const std::string& path, int64_t reserve_bytes) {
  DatabaseOptions options;
  options.path = path;
  for (const char* small : {"meta", "jobs", "specs", "requests", "positions"}) {
    options.families.push_back({.name = small});
  }
  for (const char* text : {"events", "logs"}) {
    options.families.push_back({.name = text, .profile = FamilyProfile::kText});
  }
  options.free_bytes_min = reserve_bytes;
  options.free_fraction_min = 0.0;
  // A busy job writes hundreds of kilobytes of progress: a larger buffer would only keep it in
  // memory longer and make a restart read more of the log.
  options.write_buffer_bytes = 8 << 20;
  return options;
}

// Advice on damage, which this store never repairs by itself: it holds acknowledged data.
absl::Status WithAdvice(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  return absl::DataLossError(
      absl::StrCat("the jobs' store is damaged, and nothing in it was changed: ", status.message(),
                   ". Restore an earlier copy of the folder, or run "
                   "fpo-coordinator --repair with the same --data to save what can be read"));
}

}  // namespace

RocksdbJobStore::RocksdbJobStore(std::unique_ptr<Database> database, int64_t reserve_bytes)
    : reserve_bytes_(reserve_bytes), database_(std::move(database)) {}

RocksdbJobStore::~RocksdbJobStore() {
  database_->EndCompactions();
  if (reclaim_thread_.joinable()) reclaim_thread_.join();
}

std::vector<std::pair<std::string, double>> RocksdbJobStore::Space() const {
  return {{"free_bytes", static_cast<double>(database_->FreeBytes())},
          {"logs_refused", TakesLogs().ok() ? 0.0 : 1.0},
          {"submits_refused", database_->CheckSpace().ok() ? 0.0 : 1.0}};
}

absl::Status RocksdbJobStore::TakesLogs() const {
  return database_->CheckSpaceAbove(2 * reserve_bytes_);
}

// RocksDB keeps the space of what was removed until it compacts, which it may put off for long.
void RocksdbJobStore::Reclaim() {
  if (TakesLogs().ok() || reclaiming_ || !removed_lines_.exchange(false)) return;
  if (reclaim_thread_.joinable()) reclaim_thread_.join();
  reclaiming_ = true;
  reclaim_thread_ = std::thread([this] {
    for (const int family : {kLogs, kEvents}) {
      const absl::Status status = database_->Compact(family, "", "");
      if (!status.ok()) Log(LogLevel::kWarning, absl::StrCat("compact: ", status.message()));
    }
    reclaiming_ = false;
  });
}

std::vector<std::pair<std::string, double>> RocksdbJobStore::Properties() const {
  return database_->Properties();
}

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
  const int64_t reserve_bytes = options.free_bytes_min;
  absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(std::move(options));
  if (!database.ok()) return WithAdvice(database.status());
  std::unique_ptr<RocksdbJobStore> store(new RocksdbJobStore(*std::move(database), reserve_bytes));
  FPO_RETURN_IF_ERROR(store->CheckSchema());
  return store;
}

absl::Status RocksdbJobStore::CheckSchema() {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> stored, database_->Get(kMeta, kSchemaKey));
  if (!stored) {
    WriteSet writes;
    writes.Put(kMeta, kSchemaKey, absl::StrCat(kSchemaVersion));
    return database_->WriteIntoReserve(writes);
  }
  int version = 0;
  if (!absl::SimpleAtoi(*stored, &version) || version < 1 || version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        database_->path(), " has schema version ", *stored, ", this program knows up to ",
        kSchemaVersion, ": start the newer program that wrote it"));
  }
  if (version == kSchemaVersion) return absl::OkStatus();
  // Version 1 is readable as it is: absent fields have their defaults.
  WriteSet writes;
  writes.Put(kMeta, kSchemaKey, absl::StrCat(kSchemaVersion));
  return database_->WriteIntoReserve(writes);
}

absl::StatusOr<std::map<std::string, WorkerMode>> RocksdbJobStore::LoadWorkerModes() {
  std::map<std::string, WorkerMode> modes;
  absl::Status problem;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<WorkerMode> mode = DecodeWorkerMode(value);
    if (!mode.ok()) {
      problem = mode.status();
      return false;
    }
    modes[std::string(key.substr(sizeof(kWorkerPrefix) - 1))] = *std::move(mode);
    return true;
  };
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, kWorkerPrefix, PrefixEnd(kWorkerPrefix), visit));
  FPO_RETURN_IF_ERROR(problem);
  return modes;
}

absl::Status RocksdbJobStore::PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) {
  WriteSet writes;
  const std::string key = absl::StrCat(kWorkerPrefix, worker_id);
  if (mode.kind == WorkerMode::Kind::kOpen) {
    writes.Delete(kMeta, key);
  } else {
    writes.Put(kMeta, key, EncodeWorkerMode(mode));
  }
  return database_->WriteIntoReserve(writes);
}

absl::StatusOr<std::vector<Job>> RocksdbJobStore::LoadJobs() {
  std::vector<Job> found;
  const absl::Status scanned =
      database_->Scan(kJobs, "", "", [&](absl::string_view key, absl::string_view value) {
        absl::StatusOr<Job> job = DecodeJob(value);
        if (job.ok()) {
          found.push_back(*std::move(job));
        } else {
          NoteDamagedJob(std::string(key), std::string(job.status().message()));
        }
        return true;
      });
  if (!scanned.ok()) return WithAdvice(scanned);
  std::vector<Job> jobs;
  for (Job& job : found) {
    FPO_ASSIGN_OR_RETURN(std::optional<std::string> spec, database_->Get(kSpecs, job.job_id));
    if (!spec) {
      NoteDamagedJob(job.job_id, "its configuration is missing");
      continue;
    }
    job.config_json = *std::move(spec);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

void RocksdbJobStore::NoteDamagedJob(const std::string& job_id, const std::string& why) {
  damaged_jobs_.push_back(job_id);
  Log(LogLevel::kError, "a job cannot be read from the store and is left out",
      {{"job", job_id}, {"store", database_->path()}, {"why", why}});
}

absl::Status RocksdbJobStore::CreateJob(const Job& job, const SubmittedRequest& request) {
  FPO_ASSIGN_OR_RETURN(std::optional<SubmittedRequest> known, FindRequest(request.request_id));
  if (known) {
    return absl::AlreadyExistsError(absl::StrCat("request ", request.request_id, " is known"));
  }
  WriteSet writes;
  writes.Put(kSpecs, job.job_id, job.config_json);
  writes.Put(kJobs, job.job_id, EncodeJob(job));
  writes.Put(kRequests, request.request_id, EncodeRequest(request));
  return database_->Write(writes);
}

absl::Status RocksdbJobStore::PutJob(const Job& job) {
  WriteSet writes;
  writes.Put(kJobs, job.job_id, EncodeJob(job));
  return database_->WriteIntoReserve(writes);
}

absl::Status RocksdbJobStore::RemoveJob(const std::string& job_id) {
  WriteSet writes;
  writes.Delete(kJobs, job_id);
  writes.Delete(kSpecs, job_id);
  writes.Delete(kMeta, StockKey(job_id));
  const std::string prefix = LinePrefix(job_id);
  for (const int family : {kEvents, kLogs, kPositions}) {
    writes.DeleteRange(family, prefix, PrefixEnd(prefix));
  }
  removed_lines_ = true;
  return database_->WriteIntoReserve(writes);
}

absl::StatusOr<std::optional<SubmittedRequest>> RocksdbJobStore::FindRequest(
    const std::string& request_id) {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> bytes, database_->Get(kRequests, request_id));
  if (!bytes) return std::optional<SubmittedRequest>();
  FPO_ASSIGN_OR_RETURN(SubmittedRequest request, DecodeRequest(*bytes));
  return std::optional<SubmittedRequest>(std::move(request));
}

absl::StatusOr<std::string> RocksdbJobStore::ForgetRequestsBefore(absl::Time time,
                                                                  const std::string& from,
                                                                  int32_t looked_max) {
  WriteSet writes;
  std::string next;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    if (looked_max-- == 0) {
      next = std::string(key);
      return false;
    }
    const absl::StatusOr<SubmittedRequest> request = DecodeRequest(value);
    if (request.ok() && request->time < time) writes.Delete(kRequests, key);
    return true;
  };
  FPO_RETURN_IF_ERROR(database_->Scan(kRequests, from, "", visit));
  if (!writes.empty()) FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  return next;
}

absl::Status RocksdbJobStore::Check(absl::Time now) {
  Reclaim();
  FPO_RETURN_IF_ERROR(database_->Recover(now));
  return database_->CheckSpace();
}

}  // namespace fpo::coordinator
