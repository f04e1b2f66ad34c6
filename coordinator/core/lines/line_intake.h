#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/values/line.h"
#include "common/values/worker_command.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/lines/log_retention.h"
#include "coordinator/core/lines/progress_tracker.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// A batch with the parsed events of its lines. Construct it before taking the coordinator's lock.
// Refers to the batch.
struct ParsedBatch {
  explicit ParsedBatch(const EventBatch& from) : batch(from) {
    for (const Line& line : batch.lines) events.push_back(EventIn(line.text));
  }

  const EventBatch& batch;
  std::vector<TrainEvent> events = {};
};

// Takes events and logs from agents: drops repeated lines, assigns cursors, stores, and applies
// events of a current attempt to its job. Lines of old attempts are stored too (as evidence) but
// change nothing. Lines of a worker that was no member of such an attempt are dropped and
// acknowledged: after a restore, those of the lost time. Not thread-safe: the coordinator's lock
// guards it.
class LineIntake {
 public:
  LineIntake(JobStore* store, JobTable* jobs, LogRetention* retention)
      : store_(store), jobs_(jobs), retention_(retention) {}

  // On a store error the sender sends the batch again. Lines of unknown jobs are dropped and
  // acknowledged. Not durable yet: see TakeAcks. Logs for which there is no space are OK too: they
  // are not acknowledged, and TakeResends asks for them later.
  absl::Status AddEvents(const std::string& worker, const ParsedBatch& parsed, absl::Time now);
  absl::Status AddLogs(const std::string& worker, const LogBatch& batch);
  struct Counts {
    int64_t strangers = 0;  // batches of lines from workers that were not in the attempt
    int64_t stale = 0;      // of old attempts: stored as events, but they do not count
    int64_t bad = 0;        // found damaged or unusable by a current attempt
  };
  Counts TakeCounts() { return std::exchange(counts_, {}); }  // since
  void Forget(const std::string& job_id);                     // of a job that is removed

  // Acknowledgements for what was added since the last call; may be sent once a JobStore::Sync that
  // began afterwards has succeeded.
  std::vector<std::pair<std::string, AckCommand>> TakeAcks();
  // For the workers whose logs were not stored, once there is space again.
  std::vector<std::pair<std::string, ResendLogsCommand>> TakeResends();
  bool holds_logs() const { return !held_logs_.empty(); }
  // The sync failed: TakeAcks returns these again.
  void ReturnAcks(std::vector<std::pair<std::string, AckCommand>> acks);

 private:
  struct Cursors {
    uint64_t event = 0;
    uint64_t log = 0;
  };

  struct HeldLogs {
    uint64_t from_seq = 0;  // the first line that was not stored
    bool asked_again = false;
  };

  absl::StatusOr<SenderPosition> PositionOf(const Sender& sender);
  absl::StatusOr<Cursors> CursorsOf(const std::string& job_id);
  absl::Status Store(const LineWrite& write, const Cursors& cursors);
  // Whether the lines are to be stored; else they are acknowledged.
  bool Admit(const Sender& sender, const SenderPosition& end);
  void WillAck(const Sender& sender, const SenderPosition& position);

  JobStore* const store_;
  JobTable* const jobs_;
  LogRetention* const retention_;
  // Read from the store when absent; cleared as a whole when there are too many.
  std::map<Sender, SenderPosition> positions_;
  std::map<std::string, Cursors> cursors_;
  std::map<Sender, SenderPosition> unacknowledged_;
  std::map<Sender, HeldLogs> held_logs_;
  std::set<Sender> strangers_;  // said once; cleared as a whole when there are too many
  Counts counts_;
};

}  // namespace fpo::coordinator
