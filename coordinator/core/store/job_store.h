#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/lines/audit_entry.h"
#include "coordinator/core/lines/lines.h"
#include "coordinator/core/provision/provision_request.h"
#include "coordinator/core/store/store_identity.h"
#include "coordinator/core/workers/worker_mode.h"

namespace fpo::coordinator {

// A submit that was answered, kept so that a repetition gets the same response.
struct SubmittedRequest {
  std::string request_id = {};
  std::string digest = {};  // hex, of everything that was asked
  std::string job_id = {};
  absl::Time time = {};

  bool operator==(const SubmittedRequest&) const = default;
};

// Storage of jobs. Thread-safe. A PutJob that returned OK survives a kill and a power cut; what
// PutLines wrote does so after the next Sync or PutJob.
class JobStore {
 public:
  virtual ~JobStore() = default;

  virtual absl::StatusOr<StoreIdentity> LoadIdentity() = 0;
  virtual absl::Status PutIdentity(const StoreIdentity& identity) = 0;
  // Without their configurations, of which there may be more than memory.
  virtual absl::StatusOr<std::vector<Job>> LoadJobs() = 0;
  virtual absl::StatusOr<std::string> LoadConfig(const std::string& job_id) = 0;  // NotFound
  // Job and request in one durable group. AlreadyExists when the request id is known.
  virtual absl::Status CreateJob(const Job& job, const SubmittedRequest& request) = 0;
  virtual absl::Status PutJob(const Job& job) = 0;  // config_json is that of CreateJob
  // With its spec, lines, positions and log stock, in one durable group. OK when absent.
  virtual absl::Status RemoveJob(const std::string& job_id) = 0;
  virtual absl::StatusOr<std::optional<SubmittedRequest>> FindRequest(
      const std::string& request_id) = 0;
  // Looks at `looked_max` requests from the id `from` (empty: the first) on and forgets the old
  // ones; returns where the next call begins, empty at the end.
  virtual absl::StatusOr<std::string> ForgetRequestsBefore(absl::Time time, const std::string& from,
                                                           int32_t looked_max) = 0;

  virtual absl::StatusOr<std::map<std::string, WorkerMode>> LoadWorkerModes() = 0;
  virtual absl::Status PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) = 0;

  // By a hook's name, the revision up to which it knows the jobs. Durable after the next Sync.
  virtual absl::StatusOr<std::map<std::string, uint64_t>> LoadHookMarks() = 0;
  virtual absl::Status PutHookMark(const std::string& hook, uint64_t revision) = 0;

  // What was asked of engines that start workers; a record that cannot be read is left out, logged.
  virtual absl::StatusOr<std::vector<ProvisionRequest>> LoadProvisionRequests() = 0;
  virtual absl::Status PutProvisionRequest(const ProvisionRequest& request) = 0;  // by its id
  virtual absl::Status RemoveProvisionRequest(const std::string& id) = 0;

  virtual absl::Status PutLines(const LineWrite& write) = 0;
  virtual absl::Status Sync() = 0;
  virtual absl::StatusOr<SenderPosition> PositionOf(const Sender& sender) = 0;
  virtual absl::StatusOr<uint64_t> LastEventCursor(const std::string& job_id) = 0;  // 0: none
  virtual absl::StatusOr<uint64_t> LastLogCursor(const std::string& job_id) = 0;

  // One bounded step, which may find nothing: go on with the page's `after` until `at_end`.
  virtual absl::StatusOr<LogPage> ReadLogs(const std::string& job_id, const LogQuery& query) = 0;
  // One bounded step towards the start of a tail, from where the last one stopped (the query's
  // `after`, lines_max and bytes_max are ignored here).
  virtual absl::StatusOr<LogTail> FindTail(const std::string& job_id, const LogQuery& query,
                                           LogTail tail) = 0;
  virtual absl::StatusOr<std::vector<EventLine>> ReadEvents(const std::string& job_id,
                                                            uint64_t after, int32_t limit) = 0;

  virtual absl::StatusOr<std::map<std::string, LogStock>> LoadLogStocks() = 0;
  virtual absl::Status PutLogStock(const std::string& job_id, const LogStock& stock) = 0;
  // Removes the job's log lines up to the cursor of `gap`, which takes their place.
  virtual absl::Status ReplaceLogs(const std::string& job_id, const LogLine& gap,
                                   const LogStock& stock) = 0;
  virtual absl::Status DropEventsBefore(const std::string& job_id, uint64_t cursor) = 0;

  // Durable after the next Sync. The caller assigns increasing cursors.
  virtual absl::Status PutAudit(const AuditEntry& entry) = 0;
  virtual absl::Status DropAuditBefore(uint64_t cursor) = 0;
  // Newest first, older than the cursor; 0: from the newest on. At most `limit`.
  virtual absl::StatusOr<std::vector<AuditEntry>> ReadAudit(uint64_t before, int32_t limit) = 0;

  // OK, or why log lines are refused now while changes of jobs are still taken.
  virtual absl::Status TakesLogs() const = 0;
  // A write that failed may be in the store all the same. Once writes are accepted again, sets
  // right what such writes were about: what jobs and modes really are. OK when nothing is in doubt.
  struct Truth {
    std::function<std::shared_ptr<const Job>(const std::string& job_id)>
        job;  // null: there is none
    std::function<WorkerMode(const std::string& worker_id)> mode;
  };
  virtual absl::Status SettleDoubts(const Truth& truth) = 0;
  // Why writes are rejected; tries to recover.
  virtual absl::Status Check(absl::Time now) = 0;
};

}  // namespace fpo::coordinator
