#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "worker/core/attempt_id.h"

// What agent and coordinator say to each other, as plain values. rpc/coordinator_client carries it.
namespace fpo::worker {

struct Assignment {
  AttemptId attempt;
  std::string config_json;  // effective job
  int32_t slots = 1;        // on this worker
  int32_t first_rank = 0;
  int32_t world_size = 1;
  bool resume = false;
  int64_t discard_after_step = 0;  // checkpoints of later steps are not wanted; 0: all are
  std::string store_address;       // rank 0's rendezvous, host:port; empty with one rank
  std::string owner = {};
};

// Checkpoint folders of a job that does not run.
struct CheckpointOrder {
  std::string job_id;
  std::vector<std::string> remove;
  std::vector<std::string> pin;
  std::vector<std::string> unpin;
};

// What a job took from the reference cache and what it had to compute.
struct CacheUse {
  int64_t records_total = 0;
  int64_t records_hit = 0;
  int64_t records_computed = 0;
  std::string manifest_id;  // hex
  std::string recipe_id;    // hex
  double reference_seconds = 0;
  // What the records that were hit took those who computed them; 0: not measured.
  double saved_seconds = 0;
  double saved_flops = 0;

  bool operator==(const CacheUse&) const = default;
};

enum class ReportStatus { kAccepted, kRefused, kRunning, kSucceeded, kFailed, kStopped };

struct Report {
  AttemptId attempt;
  ReportStatus status = ReportStatus::kAccepted;
  std::string end_class;  // with kFailed: invalid | memory | program | infrastructure | asked
  std::string message;
  std::optional<CacheUse> cache;
  std::string prepared;  // hex digest of the token files; empty before they are there
};

// One line of a rank or of the agent: a log line, or an event (then `text` is its JSON).
struct Line {
  int32_t rank = 0;
  std::string stream;  // stdout | stderr | agent; empty for an event
  int64_t time_unix_ms = 0;
  std::string text;  // at most 64 KiB

  bool operator==(const Line&) const = default;
};

// Lines of one attempt numbered from `first_seq` in steps of one. `next_seq` is where to read on:
// greater than the end of `lines` when a gap stands for lines that were dropped.
struct LineBatch {
  AttemptId attempt;
  uint64_t first_seq = 0;
  uint64_t next_seq = 0;
  std::vector<Line> lines;
};
struct EventBatch : LineBatch {};
struct LogBatch : LineBatch {};

// The worker takes no more work, and what runs should go elsewhere.
struct Closing {
  std::string why;
};

using Outgoing = std::variant<Report, EventBatch, LogBatch, Closing>;

// The agent as its link sees it; implemented by Agent. Thread-safe; no call blocks for long except
// Next.
class CoordinatorListener {
 public:
  virtual ~CoordinatorListener() = default;

  // Attempts that run, or whose end the coordinator may not know: for Hello.
  virtual std::vector<AttemptId> RunningAttempts() = 0;
  virtual void OnConnected(const std::vector<AttemptId>& kill, absl::Duration lease) = 0;
  virtual void OnDisconnected() = 0;
  // Said about once a second while there is no session.
  virtual void OnStillAway() = 0;
  // Whether nothing runs here.
  virtual bool IsIdle() = 0;
  // The coordinator will never take this agent again: what runs counts for nothing and is killed.
  virtual void OnRefused(const std::string& why) = 0;
  virtual void OnAssign(const Assignment& assignment) = 0;
  virtual void OnStop(const AttemptId& attempt, absl::Duration grace, const std::string& why) = 0;
  virtual void OnCheckpointOrder(const CheckpointOrder& order) = 0;
  // Lines up to these numbers are durable at the coordinator.
  virtual void OnAck(const AttemptId& attempt, uint64_t events_seq, uint64_t logs_seq) = 0;
  virtual void OnBeatSent(uint64_t seq) = 0;
  virtual void OnBeatAnswered(uint64_t seq, absl::Time sent) = 0;
  // The next thing to send in this session; nothing when there was none until `deadline`.
  virtual std::optional<Outgoing> Next(absl::Time deadline) = 0;
};

// The session with the coordinator, kept alive by reconnecting. Thread-safe.
class CoordinatorLink {
 public:
  virtual ~CoordinatorLink() = default;
  virtual bool connected() const = 0;
};

}  // namespace fpo::worker
