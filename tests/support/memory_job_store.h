#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// Jobs in memory, for tests of everything above the store. Thread-safe.
class MemoryJobStore final : public JobStore {
 public:
  absl::StatusOr<StoreIdentity> LoadIdentity() override;
  absl::Status PutIdentity(const StoreIdentity& identity) override;
  absl::StatusOr<std::vector<Job>> LoadJobs() override;
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
  absl::Status TakesLogs() const override;
  absl::Status SettleDoubts(const Truth&) override { return absl::OkStatus(); }  // none here
  absl::Status Check(absl::Time now) override;

  // Called in each Check, as a disk that stalls would hold it up.
  void OnCheck(std::function<void()> hook);
  // Called before events are read.
  void OnReadEvents(std::function<void()> hook);
  // Called before requests are forgotten.
  void OnForget(std::function<void()> hook);
  // From now on every write of logs fails with this; OK ends it.
  void FailLogs(const absl::Status& status);
  // From now on every write fails with this; OK ends it.
  void FailWrites(const absl::Status& status);

 private:
  mutable absl::Mutex mu_;
  std::function<void()> on_check_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_forget_ ABSL_GUARDED_BY(mu_);
  std::function<void()> on_read_events_ ABSL_GUARDED_BY(mu_);
  absl::Status logs_failure_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  StoreIdentity identity_ ABSL_GUARDED_BY(mu_) = {.id = "memory"};
  std::map<std::string, Job> jobs_ ABSL_GUARDED_BY(mu_);
  std::vector<AuditEntry> audit_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, SubmittedRequest> requests_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, WorkerMode> worker_modes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, uint64_t> hook_marks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, ProvisionRequest> provision_ ABSL_GUARDED_BY(mu_);
  std::map<Sender, SenderPosition> positions_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<LogLine>> logs_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, LogStock> stocks_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<EventLine>> events_ ABSL_GUARDED_BY(mu_);
};

}  // namespace fpo::coordinator
