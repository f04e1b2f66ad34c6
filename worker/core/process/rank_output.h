#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/core/agent_metrics.h"
#include "worker/core/outbox/outbox.h"
#include "worker/core/process/rank_process.h"

namespace fpo::worker {

// Receives the output of an attempt's ranks: lines and events go to the outbox, numbers to the
// metrics; the last messages are kept for the report of a failure. Thread-safe.
class RankOutput final : public RankSink {
 public:
  RankOutput(AttemptRef attempt, int32_t agent_rank, Outbox* outbox, AgentMetrics* metrics)
      : attempt_(std::move(attempt)), agent_rank_(agent_rank), outbox_(outbox), metrics_(metrics) {}

  void OnLine(int32_t rank, LineStream stream, const std::string& text) override;
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override;

  // The agent's own messages in the job's log, and its own events.
  void Note(const std::string& text);
  void Emit(TrainEvent event);

  // The message of the rank's last error event, else the end of its stderr.
  std::string LastOutput(int32_t rank) const;
  // A new process of the same rank starts: its messages and its silence count from here.
  void ForgetOutput();
  absl::Time last_heard() const;  // any line or event

 private:
  struct LastLines {
    std::string error;
    std::deque<std::string> lines;
  };

  const AttemptRef attempt_;
  const int32_t agent_rank_;
  Outbox* const outbox_;
  AgentMetrics* const metrics_;
  mutable absl::Mutex mutex_;
  std::map<int32_t, LastLines> last_lines_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_) = BootNow();
};

}  // namespace fpo::worker
