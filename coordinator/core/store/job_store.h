#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/lines/audit_entry.h"
#include "coordinator/core/lines/lines.h"
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

  virtual absl::StatusOr<std::vector<Job>> LoadJobs() = 0;
  // Job and request in one durable group. AlreadyExists when the request id is known.
  virtual absl::Status CreateJob(const Job& job, const SubmittedRequest& request) = 0;
  virtual absl::Status PutJob(const Job& job) = 0;  // config_json is fixed at creation
  // With its spec, lines, positions and log stock, in one durable group. OK when absent.
  virtual absl::Status RemoveJob(const std::string& job_id) = 0;
  virtual absl::StatusOr<std::optional<SubmittedRequest>> FindRequest(
      const std::string& request_id) = 0;
  virtual absl::Status ForgetRequestsBefore(absl::Time time) = 0;

  virtual absl::StatusOr<std::map<std::string, WorkerMode>> LoadWorkerModes() = 0;
  virtual absl::Status PutWorkerMode(const std::string& worker_id, const WorkerMode& mode) = 0;

  virtual absl::Status PutLines(const LineWrite& write) = 0;
  virtual absl::Status Sync() = 0;
  virtual absl::StatusOr<SenderPosition> PositionOf(const Sender& sender) = 0;
  virtual absl::StatusOr<uint64_t> LastEventCursor(const std::string& job_id) = 0;  // 0: none
  virtual absl::StatusOr<uint64_t> LastLogCursor(const std::string& job_id) = 0;

  virtual absl::StatusOr<std::vector<LogLine>> ReadLogs(const std::string& job_id,
                                                        const LogQuery& query) = 0;
  // The cursor after which the last `lines` lines that match the query begin (its `after` and
  // limits are ignored here).
  virtual absl::StatusOr<uint64_t> TailCursor(const std::string& job_id, const LogQuery& query,
                                              int32_t lines) = 0;
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

  // Why writes are rejected; tries to recover.
  virtual absl::Status Check(absl::Time now) = 0;
};

}  // namespace fpo::coordinator
