#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/store/key_values.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// Families of the keys of a KeyedJobStore, by name: what an engine needs to make them.
const std::vector<std::string>& JobFamilies();

// Jobs as keys and values; what holds these is an engine below. Families: meta (schema, identity,
// modes of workers, requests for workers, log stocks, audit), jobs, specs (the configuration,
// written once), requests, positions, events, logs. Lines are stored under job id, '/' and cursor
// (u64, big endian). A record that cannot be read costs that record only: it stays where it is, is
// left out and logged. Thread-safe.
class KeyedJobStore : public JobStore {
 public:
  // A disk that fills up stops log lines first, below twice these bytes of free space, then new
  // jobs, below it; events and audit below a quarter. Changes of state, cancels and removals use
  // all of it.
  static constexpr int64_t kReserveBytes = int64_t{256} << 20;
  ~KeyedJobStore() override;

  // A consistent copy, as a RocksDB folder that does not exist yet, while the store is in use.
  virtual absl::Status CopyTo(const std::string& folder) const = 0;

  absl::StatusOr<StoreIdentity> LoadIdentity() override;
  absl::Status PutIdentity(const StoreIdentity& identity) override;
  // Jobs that cannot be decoded, or have no configuration, are left out, logged and named by
  // damaged_jobs.
  absl::StatusOr<std::vector<Job>> LoadJobs() override;
  const std::vector<std::string>& damaged_jobs() const { return damaged_jobs_; }
  absl::StatusOr<std::string> LoadConfig(const std::string& job_id) override;
  absl::Status CreateJob(const Job& job, const SubmittedRequest& request) override;
  absl::Status PutJob(const Job& job) override;
  absl::Status RemoveJob(const std::string& job_id) override;
  absl::StatusOr<std::optional<SubmittedRequest>> FindRequest(
      const std::string& request_id) override;
  absl::StatusOr<std::string> ForgetRequestsBefore(absl::Time time, const std::string& from,
                                                   int32_t looked_max) override;
  absl::StatusOr<std::map<std::string, WorkerMode>> LoadWorkerModes() override;
  absl::Status PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) override;
  absl::StatusOr<std::map<std::string, uint64_t>> LoadHookMarks() override;
  absl::Status PutHookMark(const std::string& hook, uint64_t revision) override;
  absl::StatusOr<std::vector<ProvisionRequest>> LoadProvisionRequests() override;
  absl::Status PutProvisionRequest(const ProvisionRequest& request) override;
  absl::Status RemoveProvisionRequest(const std::string& id) override;
  absl::Status PutLines(const LineWrite& write) override;
  absl::Status Sync() override;
  absl::StatusOr<SenderPosition> PositionOf(const Sender& sender) override;
  absl::StatusOr<uint64_t> LastEventCursor(const std::string& job_id) override;
  absl::StatusOr<uint64_t> LastLogCursor(const std::string& job_id) override;
  absl::StatusOr<LogPage> ReadLogs(const std::string& job_id, const LogQuery& query) override;
  absl::StatusOr<LogTail> FindTail(const std::string& job_id, const LogQuery& query,
                                   LogTail tail) override;
  absl::StatusOr<std::vector<EventLine>> ReadEvents(const std::string& job_id, uint64_t after,
                                                    int32_t limit) override;
  absl::StatusOr<std::map<std::string, LogStock>> LoadLogStocks() override;
  absl::Status PutLogStock(const std::string& job_id, const LogStock& stock) override;
  absl::Status ReplaceLogs(const std::string& job_id, const LogLine& gap,
                           const LogStock& stock) override;
  absl::Status DropEventsBefore(const std::string& job_id, uint64_t cursor) override;
  absl::Status PutAudit(const AuditEntry& entry) override;
  absl::Status DropAuditBefore(uint64_t cursor) override;
  absl::StatusOr<std::vector<AuditEntry>> ReadAudit(uint64_t before, int32_t limit) override;
  absl::Status SettleDoubts(const Truth& truth) override;
  absl::Status TakesLogs() const override;
  // Also returns space of removed lines to a file system that is nearly full, in the background.
  absl::Status Check(absl::Time now) override;
  // free_bytes, logs_refused and submits_refused (1: so it is), for metrics.
  std::vector<std::pair<std::string, double>> Space() const;

  // The engine's own numbers, for metrics.
  std::vector<std::pair<std::string, double>> Properties() const { return values_->Properties(); }
  const KeyValues& values() const { return *values_; }

 protected:
  explicit KeyedJobStore(std::shared_ptr<KeyValues> values, int64_t reserve_bytes = kReserveBytes);
  // Writes the schema and an identity into empty key values; takes those of an earlier version
  // over. FailedPrecondition: a newer program wrote them.
  absl::Status CheckSchema();
  KeyValues* mutable_values() { return values_.get(); }

 private:
  // What failed writes were about, and were not set right yet.
  struct Doubts {
    std::set<std::string> jobs = {};
    std::map<std::string, std::string> configs = {};  // of those that may have been removed
    std::set<std::string> requests = {};
    std::set<std::string> workers = {};
    bool empty() const { return jobs.empty() && requests.empty() && workers.empty(); }
  };
  void Doubt(Doubts about);
  // Durably; on an error `about` is in doubt. New jobs keep the reserve free.
  absl::Status WriteAbout(const WriteSet& writes, Doubts about, bool is_new);
  void Reclaim();
  void NoteDamagedJob(const std::string& job_id, const std::string& why);
  absl::StatusOr<uint64_t> LastCursor(int family, const std::string& job_id);

  const int64_t reserve_bytes_;
  std::atomic<bool> removed_lines_ = false;  // since the last Reclaim began
  std::atomic<bool> reclaiming_ = false;
  std::thread reclaim_thread_;               // used only by Check
  const std::shared_ptr<KeyValues> values_;  // shared where others need the engine too
  absl::Mutex mutex_;
  Doubts doubts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> damaged_jobs_;  // written by LoadJobs, before any other call
};

}  // namespace fpo::coordinator
