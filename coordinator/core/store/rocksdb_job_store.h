#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "coordinator/core/store/job_store.h"

namespace fpo {
class Database;
struct DatabaseOptions;
}  // namespace fpo

namespace fpo::coordinator {

// Jobs in a RocksDB folder. Families: meta (schema), jobs, specs (the configuration, written once),
// requests, positions, events, logs. Lines are stored under job id ‖ '/' ‖ cursor (u64, big
// endian). Thread-safe.
class RocksdbJobStore final : public JobStore {
 public:
  // Created when absent. FailedPrecondition: another process has the folder, or a newer program
  // wrote it. DataLoss: it is damaged; Open leaves it unchanged.
  // A disk that fills up stops log lines first, below twice `reserve_bytes` of free space, then new
  // jobs, below it; events and audit below a quarter. Changes of state, cancels and removals use
  // all of it.
  static constexpr int64_t kReserveBytes = int64_t{256} << 20;
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> Open(
      const std::string& path, int64_t reserve_bytes = kReserveBytes);
  // The same, but where damage prevents that, the damaged files and the logs that were not in
  // tables yet are moved into the folder's lost/. Older states of a job may reappear: only
  // RepairJobStore may let work continue from here.
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> OpenRepaired(const std::string& path);
  ~RocksdbJobStore() override;

  // Jobs that cannot be decoded, or have no configuration, are left out, logged and named by
  // damaged_jobs.
  absl::StatusOr<std::vector<Job>> LoadJobs() override;
  const std::vector<std::string>& damaged_jobs() const { return damaged_jobs_; }
  absl::Status CreateJob(const Job& job, const SubmittedRequest& request) override;
  absl::Status PutJob(const Job& job) override;
  absl::Status RemoveJob(const std::string& job_id) override;
  absl::StatusOr<std::optional<SubmittedRequest>> FindRequest(
      const std::string& request_id) override;
  absl::StatusOr<std::string> ForgetRequestsBefore(absl::Time time, const std::string& from,
                                                   int32_t looked_max) override;
  absl::StatusOr<std::map<std::string, WorkerMode>> LoadWorkerModes() override;
  absl::Status PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) override;
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
  absl::Status TakesLogs() const override;
  // Also returns space of removed lines to a file system that is nearly full, in the background.
  absl::Status Check(absl::Time now) override;

  // free_bytes, logs_refused and submits_refused (1: so it is), for metrics.
  std::vector<std::pair<std::string, double>> Space() const;
  // RocksDB's own statistics, for metrics.
  std::vector<std::pair<std::string, double>> Properties() const;

 private:
  RocksdbJobStore(std::unique_ptr<Database> database, int64_t reserve_bytes);
  void Reclaim();
  static absl::StatusOr<std::unique_ptr<RocksdbJobStore>> OpenFolder(DatabaseOptions options);
  absl::Status CheckSchema();
  void NoteDamagedJob(const std::string& job_id, const std::string& why);
  absl::StatusOr<uint64_t> LastCursor(int family, const std::string& job_id);

  const int64_t reserve_bytes_;
  std::atomic<bool> removed_lines_ = false;  // since the last Reclaim began
  std::atomic<bool> reclaiming_ = false;
  std::thread reclaim_thread_;  // used only by Check
  std::unique_ptr<Database> database_;
  std::vector<std::string> damaged_jobs_;  // written by LoadJobs, before any other call
};

}  // namespace fpo::coordinator
