#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/core/agent_metrics.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/outbox/line_box.h"

namespace fpo::worker {

// Everything that waits to be sent to the coordinator: reports, events and logs of all attempts.
// Lines are in journals as well, so that the next agent can send those of a killed one. A new
// session resends whatever was not confirmed: lines by Ack, reports by the answer to a later
// heartbeat of the same session (the coordinator handles a session's messages in order).
// Thread-safe. Only Recover, AddEvent, AddLog, Close, Next and WaitUntilEmpty wait for the disk: a
// disk that stalls delays no heartbeat, nor what is done about its answer.
class Outbox {
 public:
  struct Options {
    std::string folder;  // WORK/spool
    size_t batch_bytes_max = 60 << 10;
    LogSpool::Options spool;  // limits; folder and name are filled in
  };

  Outbox(Options options, AgentMetrics* metrics)
      : options_(std::move(options)), metrics_(metrics) {}

  // Recovers the unsent lines of an earlier agent of the same folder; they are sent as lines of
  // their old attempts. Returns how many.
  int Recover();
  void Open(const AttemptRef& attempt);
  // A final report is sent after every line added before it.
  void AddReport(Report report, bool is_final);
  void AddEvent(const AttemptRef& attempt, Line line);
  void AddLog(const AttemptRef& attempt, Line line);
  // Nothing more will be added: the attempt is forgotten once everything is confirmed.
  void Close(const AttemptRef& attempt);

  void StartSession();
  // Log lines from `from_seq` on are sent again.
  void ResendLogs(const AttemptRef& attempt, uint64_t from_seq);
  // Order: reports, events, logs. Waits `patience` for something to send. One caller at a
  // time, which must have written the previous message before it asks for the next.
  std::optional<Outgoing> Next(absl::Duration patience);
  void Acknowledge(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq);
  void OnHeartbeatSent(uint64_t seq);  // just before it is written
  void OnHeartbeatAnswered(uint64_t seq);

  // Attempts that are running or whose final report is not confirmed.
  std::vector<AttemptRef> Attempts() const;
  bool IsEmpty() const {
    absl::MutexLock lock(&mutex_);
    return boxes_.empty();
  }
  // Whether everything is confirmed within `patience`.
  bool WaitUntilEmpty(absl::Duration patience);

 private:
  static constexpr uint64_t kNotWritten = UINT64_MAX;

  struct PendingReport {
    Report report;
    bool is_final = false;
    bool sent = false;        // in this session
    uint64_t events_end = 0;  // a final report waits for these lines
    uint64_t logs_end = 0;
    uint64_t confirming_heartbeat =
        kNotWritten;  // the answer to this or a later heartbeat confirms it
  };
  // Lines of one kind: where they are, and what is known of them without asking the disk.
  struct Lines {
    std::shared_ptr<LineBox> box;  // shared with the call that uses it
    LineBox::State state;
    uint64_t next = 1;   // to be sent in this session
    uint64_t acked = 0;  // lines up to here may go; done by Tidy
  };
  struct Box {
    std::deque<PendingReport> reports;
    Lines events;
    Lines logs;
    bool recovered = false;  // from an earlier agent: none of its processes is running
    bool closed = false;

    bool has_lines() const { return events.box != nullptr; }
  };
  // A read of a box that Next is about to do.
  struct Due {
    AttemptRef attempt;
    bool events = false;
    std::shared_ptr<LineBox> box;
    uint64_t from = 0;
  };

  std::optional<Outgoing> Read(const Due& due);
  std::optional<Report> TakeReport() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static std::optional<Report> TakeReportOf(Box* box);
  std::optional<Due> FindDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Add(const AttemptRef& attempt, Lines Box::*kind, Line line);
  Lines* Find(const AttemptRef& attempt, Lines Box::*kind) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteWritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  static bool IsDue(const Box& box, const PendingReport& pending);
  std::string FolderOf(const AttemptRef& attempt) const;
  int RecoverBox(const AttemptRef& attempt) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Drops what was acknowledged, and attempts of which everything was.
  void Tidy();
  void DropAcknowledged();
  void Observe() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  AgentMetrics* const metrics_;
  mutable absl::Mutex mutex_;
  std::map<AttemptRef, Box> boxes_ ABSL_GUARDED_BY(mutex_);
  bool untidy_ ABSL_GUARDED_BY(mutex_) = false;  // Tidy has something to do
  uint64_t next_heartbeat_ ABSL_GUARDED_BY(mutex_) = 1;
  size_t gap_bytes_counted_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fpo::worker
