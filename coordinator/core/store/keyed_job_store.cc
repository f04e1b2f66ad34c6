#include "coordinator/core/store/keyed_job_store.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "coordinator/core/jobs/live_outputs.h"
#include "coordinator/core/store/job_keys.h"

namespace fpo::coordinator {
namespace {

// 2: states HELD, PAUSING, PAUSED and PREEMPTING, which programs of version 1 cannot read.
constexpr int kSchemaVersion = 2;
constexpr char kSchemaKey[] = "schema_version";
constexpr char kStoreIdKey[] = "store_id";
constexpr char kWorkerPrefix[] = "worker/";
constexpr char kHookPrefix[] = "hook/";
constexpr char kUnconfirmedKey[] = "store_unconfirmed";  // absent: it is confirmed
constexpr char kRestoredKey[] = "store_restored";        // absent: it is not
constexpr size_t kStoreIdBytes = 16;

}  // namespace

const std::vector<std::string>& JobFamilies() {
  // In the order of Family.
  static const auto* const names = new std::vector<std::string>{
      "meta", "jobs", "specs", "requests", "positions", "events", "logs"};
  return *names;
}

KeyedJobStore::KeyedJobStore(std::shared_ptr<KeyValues> values, int64_t reserve_bytes)
    : reserve_bytes_(reserve_bytes), values_(std::move(values)) {}

KeyedJobStore::~KeyedJobStore() {
  values_->EndCompactions();
  if (reclaim_thread_.joinable()) reclaim_thread_.join();
}

std::vector<std::pair<std::string, double>> KeyedJobStore::Space() const {
  return {{"free_bytes", static_cast<double>(values_->FreeBytes())},
          {"logs_refused", TakesLogs().ok() ? 0.0 : 1.0},
          {"submits_refused", values_->CheckSpace().ok() ? 0.0 : 1.0}};
}

absl::Status KeyedJobStore::TakesLogs() const {
  return values_->CheckSpaceAbove(2 * reserve_bytes_);
}

// An engine may keep the space of what was removed for long.
void KeyedJobStore::Reclaim() {
  if (TakesLogs().ok() || reclaiming_ || !removed_lines_.exchange(false)) return;
  if (reclaim_thread_.joinable()) reclaim_thread_.join();
  reclaiming_ = true;
  reclaim_thread_ = std::thread([this] {
    for (const int family : {kLogs, kEvents}) {
      const absl::Status status = values_->Compact(family, "", "");
      if (!status.ok()) Log(LogLevel::kWarning, absl::StrCat("compact: ", status.message()));
    }
    reclaiming_ = false;
  });
}

absl::Status KeyedJobStore::CheckSchema() {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> stored, values_->Get(kMeta, kSchemaKey));
  int version = kSchemaVersion;
  if (stored && (!absl::SimpleAtoi(*stored, &version) || version < 1 || version > kSchemaVersion)) {
    return absl::FailedPreconditionError(absl::StrCat(
        values_->Name(), " has schema version ", *stored, ", this program knows up to ",
        kSchemaVersion, ": start the newer program that wrote it"));
  }
  // Version 1 is readable as it is: absent fields have their defaults.
  WriteSet writes;
  if (!stored || version != kSchemaVersion) {
    writes.Put(kMeta, kSchemaKey, absl::StrCat(kSchemaVersion));
  }
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> id, values_->Get(kMeta, kStoreIdKey));
  if (!id) {
    writes.Put(kMeta, kStoreIdKey, RandomId(kStoreIdBytes));
    if (!stored) writes.Put(kMeta, kUnconfirmedKey, "");
  }
  return writes.empty() ? absl::OkStatus() : values_->WriteIntoReserve(writes);
}

absl::StatusOr<StoreIdentity> KeyedJobStore::LoadIdentity() {
  StoreIdentity identity;
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> id, values_->Get(kMeta, kStoreIdKey));
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> unconfirmed,
                       values_->Get(kMeta, kUnconfirmedKey));
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> revision,
                       values_->Get(kMeta, kRevisionKey));
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> restored,
                       values_->Get(kMeta, kRestoredKey));
  identity.id = id.value_or("");
  identity.restored = restored.has_value();
  identity.confirmed = !unconfirmed;
  if (revision && !absl::SimpleAtoi(*revision, &identity.revision)) {
    return absl::DataLossError(
        absl::StrCat("the revision in ", values_->Name(), " is no number: ", *revision));
  }
  return identity;
}

absl::Status KeyedJobStore::PutIdentity(const StoreIdentity& identity) {
  WriteSet writes;
  writes.Put(kMeta, kStoreIdKey, identity.id);
  writes.Put(kMeta, kRevisionKey, absl::StrCat(identity.revision));
  const auto mark = [&](const char* key, bool is_set) {
    if (is_set) {
      writes.Put(kMeta, key, "");
    } else {
      writes.Delete(kMeta, key);
    }
  };
  mark(kUnconfirmedKey, !identity.confirmed);
  mark(kRestoredKey, identity.restored);
  return values_->WriteIntoReserve(writes);
}

absl::StatusOr<std::map<std::string, WorkerMode>> KeyedJobStore::LoadWorkerModes() {
  std::map<std::string, WorkerMode> modes;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<WorkerMode> mode = DecodeWorkerMode(value);
    if (mode.ok()) {
      modes[std::string(key.substr(sizeof(kWorkerPrefix) - 1))] = *std::move(mode);
    } else {
      SayDamaged(*values_, key, mode.status());
    }
    return true;
  };
  FPO_RETURN_IF_ERROR(values_->Scan(kMeta, kWorkerPrefix, PrefixEnd(kWorkerPrefix), visit));
  return modes;
}

absl::Status KeyedJobStore::PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) {
  WriteSet writes;
  const std::string key = absl::StrCat(kWorkerPrefix, worker_id);
  if (mode.kind == WorkerMode::Kind::kOpen) {
    writes.Delete(kMeta, key);
  } else {
    writes.Put(kMeta, key, EncodeWorkerMode(mode));
  }
  return WriteAbout(writes, {.workers = {worker_id}}, /*is_new=*/false);
}

absl::StatusOr<std::map<std::string, uint64_t>> KeyedJobStore::LoadHookMarks() {
  std::map<std::string, uint64_t> marks;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    uint64_t revision = 0;
    if (absl::SimpleAtoi(value, &revision)) {
      marks[std::string(key.substr(sizeof(kHookPrefix) - 1))] = revision;
    } else {
      SayDamaged(*values_, key, absl::DataLossError("it is no number"));
    }
    return true;
  };
  FPO_RETURN_IF_ERROR(values_->Scan(kMeta, kHookPrefix, PrefixEnd(kHookPrefix), visit));
  return marks;
}

absl::Status KeyedJobStore::PutHookMark(const std::string& hook, uint64_t revision) {
  WriteSet writes;
  writes.Put(kMeta, absl::StrCat(kHookPrefix, hook), absl::StrCat(revision));
  return values_->WriteIntoReserve(writes, /*sync=*/false);
}

absl::StatusOr<std::vector<ProvisionRequest>> KeyedJobStore::LoadProvisionRequests() {
  std::vector<ProvisionRequest> requests;
  const auto visit = [&](absl::string_view key, absl::string_view value) {
    absl::StatusOr<ProvisionRequest> request = DecodeProvisionRequest(value);
    if (request.ok()) {
      requests.push_back(*std::move(request));
    } else {
      SayDamaged(*values_, key, request.status());
    }
    return true;
  };
  FPO_RETURN_IF_ERROR(values_->Scan(kMeta, kProvisionPrefix, PrefixEnd(kProvisionPrefix), visit));
  return requests;
}

absl::Status KeyedJobStore::PutProvisionRequest(const ProvisionRequest& request) {
  WriteSet writes;
  writes.Put(kMeta, absl::StrCat(kProvisionPrefix, request.id), EncodeProvisionRequest(request));
  return WriteAbout(writes, {}, /*is_new=*/false);
}

absl::Status KeyedJobStore::RemoveProvisionRequest(const std::string& id) {
  WriteSet writes;
  writes.Delete(kMeta, absl::StrCat(kProvisionPrefix, id));
  return WriteAbout(writes, {}, /*is_new=*/false);
}

absl::StatusOr<std::vector<Job>> KeyedJobStore::LoadJobs() {
  std::vector<Job> found;
  const absl::Status scanned =
      values_->Scan(kJobs, "", "", [&](absl::string_view key, absl::string_view value) {
        absl::StatusOr<Job> job = DecodeJob(value);
        if (job.ok()) {
          found.push_back(*std::move(job));
        } else {
          NoteDamagedJob(std::string(key), std::string(job.status().message()));
        }
        return true;
      });
  FPO_RETURN_IF_ERROR(scanned);
  std::vector<Job> jobs;
  for (Job& job : found) {
    FPO_ASSIGN_OR_RETURN(const std::optional<std::string> spec, values_->Get(kSpecs, job.job_id));
    if (!spec) {
      NoteDamagedJob(job.job_id, "its configuration is missing");
      continue;
    }
    AddOlderFields(*spec, &job.demand);
    jobs.push_back(std::move(job));
  }
  return jobs;
}

absl::StatusOr<std::string> KeyedJobStore::LoadConfig(const std::string& job_id) {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> spec, values_->Get(kSpecs, job_id));
  if (spec) return *std::move(spec);
  return absl::NotFoundError(
      absl::StrCat("the configuration of job ", job_id, " is not in ", values_->Name()));
}

void KeyedJobStore::NoteDamagedJob(const std::string& job_id, const std::string& why) {
  damaged_jobs_.push_back(job_id);
  Log(LogLevel::kError, "a job cannot be read from the store and is left out",
      {{"job", job_id}, {"store", values_->Name()}, {"why", why}});
}

absl::Status KeyedJobStore::CreateJob(const Job& job, const SubmittedRequest& request) {
  FPO_ASSIGN_OR_RETURN(std::optional<SubmittedRequest> known, FindRequest(request.request_id));
  if (known) {
    return absl::AlreadyExistsError(absl::StrCat("request ", request.request_id, " is known"));
  }
  WriteSet writes;
  writes.Put(kSpecs, job.job_id, job.config_json);
  PutJobInto(job, &writes);
  writes.Put(kRequests, request.request_id, EncodeRequest(request));
  return WriteAbout(writes, {.jobs = {job.job_id}, .requests = {request.request_id}},
                    /*is_new=*/true);
}

absl::Status KeyedJobStore::PutJob(const Job& job) {
  WriteSet writes;
  PutJobInto(job, &writes);
  return WriteAbout(writes, {.jobs = {job.job_id}}, /*is_new=*/false);
}

absl::Status KeyedJobStore::RemoveJob(const std::string& job_id) {
  // If the write fails it may have been done all the same, and nobody else has this.
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> spec, values_->Get(kSpecs, job_id));
  Doubts about{.jobs = {job_id}};
  if (spec) about.configs.emplace(job_id, *std::move(spec));
  WriteSet writes;
  writes.Delete(kJobs, job_id);
  writes.Delete(kSpecs, job_id);
  writes.Delete(kMeta, StockKey(job_id));
  const std::string prefix = LinePrefix(job_id);
  for (const int family : {kEvents, kLogs, kPositions}) {
    writes.DeleteRange(family, prefix, PrefixEnd(prefix));
  }
  removed_lines_ = true;
  return WriteAbout(writes, std::move(about), /*is_new=*/false);
}

absl::StatusOr<std::optional<SubmittedRequest>> KeyedJobStore::FindRequest(
    const std::string& request_id) {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> bytes, values_->Get(kRequests, request_id));
  if (!bytes) return std::optional<SubmittedRequest>();
  FPO_ASSIGN_OR_RETURN(SubmittedRequest request, DecodeRequest(*bytes));
  return std::optional<SubmittedRequest>(std::move(request));
}

absl::StatusOr<std::string> KeyedJobStore::ForgetRequestsBefore(absl::Time time,
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
  FPO_RETURN_IF_ERROR(values_->Scan(kRequests, from, "", visit));
  if (!writes.empty()) FPO_RETURN_IF_ERROR(values_->WriteIntoReserve(writes));
  return next;
}

void KeyedJobStore::Doubt(Doubts about) {
  absl::MutexLock lock(&mutex_);
  doubts_.jobs.merge(about.jobs);
  doubts_.configs.merge(about.configs);
  doubts_.requests.merge(about.requests);
  doubts_.workers.merge(about.workers);
}

absl::Status KeyedJobStore::WriteAbout(const WriteSet& writes, Doubts about, bool is_new) {
  const absl::Status written = is_new ? values_->Write(writes) : values_->WriteIntoReserve(writes);
  if (!written.ok()) Doubt(std::move(about));
  return written;
}

absl::Status KeyedJobStore::SettleDoubts(const Truth& truth) {
  Doubts doubts;
  {
    absl::MutexLock lock(&mutex_);
    std::swap(doubts, doubts_);
  }
  if (doubts.empty()) return absl::OkStatus();
  WriteSet writes;
  for (const std::string& job_id : doubts.jobs) {
    if (const auto job = truth.job(job_id)) {
      const auto config = doubts.configs.find(job_id);
      if (config != doubts.configs.end()) writes.Put(kSpecs, job_id, config->second);
      PutJobInto(*job, &writes);
    } else {
      writes.Delete(kSpecs, job_id);
      writes.Delete(kJobs, job_id);
    }
  }
  for (const std::string& request_id : doubts.requests) writes.Delete(kRequests, request_id);
  for (const std::string& worker_id : doubts.workers) {
    const WorkerMode mode = truth.mode(worker_id);
    const std::string key = absl::StrCat(kWorkerPrefix, worker_id);
    if (mode.kind == WorkerMode::Kind::kOpen) {
      writes.Delete(kMeta, key);
    } else {
      writes.Put(kMeta, key, EncodeWorkerMode(mode));
    }
  }
  return WriteAbout(writes, std::move(doubts), /*is_new=*/false);
}

absl::Status KeyedJobStore::Check(absl::Time now) {
  Reclaim();
  FPO_RETURN_IF_ERROR(values_->Recover(now));
  return values_->CheckSpace();
}

}  // namespace fpo::coordinator
