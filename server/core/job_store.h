#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/core/job.h"
#include "server/core/worker_mode.h"

namespace fpo::coordinator {

// A submit that was answered, kept so that its repetition gets the same answer.
struct SubmittedRequest {
  std::string request_id = {};
  std::string digest = {};  // hex, of everything that was asked
  std::string job_id = {};
  absl::Time time = {};

  bool operator==(const SubmittedRequest&) const = default;
};

// A log line; cursors grow within a job, from 1.
struct LogLine {
  uint64_t cursor = 0;
  int32_t attempt = 0;
  int32_t rank = 0;
  std::string stream = {};  // stdout | stderr | agent | gap
  int64_t time_unix_ms = 0;
  std::string text = {};

  bool operator==(const LogLine&) const = default;
};
// Stands for all lines before it, which retention removed.
inline constexpr char kGapStream[] = "gap";

// What is stored of a job's logs, and what is no longer.
struct LogStock {
  int64_t bytes = 0;           // of the lines that are stored, without the gap line
  int64_t oldest_unix_ms = 0;  // time of the first of them; 0: none, or unknown
  uint64_t gap_cursor = 0;     // of the gap line; 0: none
  int64_t gap_lines = 0;
  int64_t gap_bytes = 0;  // of text

  bool operator==(const LogStock&) const = default;
};

// An event line as fpo-train wrote it.
struct EventLine {
  uint64_t cursor = 0;
  int32_t attempt = 0;
  int32_t rank = 0;
  std::string json = {};

  bool operator==(const EventLine&) const = default;
};

// How far the lines of one sender (a worker in an attempt) are stored.
struct SenderPosition {
  uint64_t next_event_seq = 0;  // lines below it are stored
  uint64_t next_log_seq = 0;

  bool operator==(const SenderPosition&) const = default;
};
struct Sender {
  AttemptRef ref;
  std::string worker;

  auto operator<=>(const Sender&) const = default;
};

// Lines of one batch, its sender's position after it, and the job as it changed by them: one atomic
// group. Cursors are already given.
struct LineWrite {
  Sender sender;
  SenderPosition position;
  std::vector<EventLine> events;
  std::vector<LogLine> logs;
  std::optional<LogStock> stock = std::nullopt;  // with these logs
  const Job* job = nullptr;                      // not owned; null: unchanged
};

struct LogQuery {
  uint64_t after = 0;   // cursor of the last line seen
  int32_t attempt = 0;  // 0: all
  std::optional<int32_t> rank = std::nullopt;
  int64_t since_unix_ms = 0;  // only lines not older
  int32_t lines_max = 1000;
  int32_t bytes_max = 1 << 20;  // of text; at least one line is returned
};

inline bool Matches(const LogQuery& query, const LogLine& line) {
  if (line.stream == kGapStream) {  // of all ranks
    return query.attempt <= line.attempt && line.time_unix_ms >= query.since_unix_ms;
  }
  return (query.attempt == 0 || query.attempt == line.attempt) &&
         (!query.rank || *query.rank == line.rank) && line.time_unix_ms >= query.since_unix_ms;
}

// Where jobs live. Thread-safe. A PutJob that returned OK survives a kill and a power cut; what
// PutLines wrote does so after the next Sync or PutJob.
class JobStore {
 public:
  virtual ~JobStore() = default;

  virtual absl::StatusOr<std::vector<Job>> LoadJobs() = 0;
  // Job and request in one durable group. AlreadyExists when the request id is known.
  virtual absl::Status CreateJob(const Job& job, const SubmittedRequest& request) = 0;
  virtual absl::Status PutJob(const Job& job) = 0;  // config_json is fixed at creation
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
  // The cursor after which the last `lines` lines that match the query (whose `after` and limits do
  // not count here) begin.
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

  // Why writes are refused; tries to become healthy again.
  virtual absl::Status Check(absl::Time now) = 0;
};

}  // namespace fpo::coordinator
