#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/core/agent_metrics.h"
#include "worker/core/process/process_journal.h"
#include "worker/core/process/rank_process.h"

namespace fpo::worker {

// The running processes of one attempt: all of them can be stopped at any time, including one that
// is just being started. Thread-safe.
class ProcessSet {
 public:
  ProcessSet(Spawner* spawner, ProcessJournal* journal, AgentMetrics* metrics)
      : spawner_(spawner), journal_(journal), metrics_(metrics) {}

  // The result stays valid until Wait. Cancelled after Stop.
  absl::StatusOr<RankProcess*> Start(const RankCommand& command, RankSink& sink);
  // Blocks as RankProcess::Wait, then forgets the process. Once per process.
  RankExit Wait(RankProcess* process);
  // Also ends processes started later: see RankProcess::Stop. A later call with less grace shortens
  // the first.
  void Stop(absl::Duration grace);
  // Whether one that was waited for, or something it started, survived SIGKILL.
  bool has_survivors() const { return has_survivors_; }

 private:
  Spawner* const spawner_;
  ProcessJournal* const journal_;
  AgentMetrics* const metrics_;
  std::atomic<bool> has_survivors_ = false;
  absl::Mutex mutex_;
  std::map<RankProcess*, std::unique_ptr<RankProcess>> processes_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Time> kill_at_ ABSL_GUARDED_BY(mutex_);  // set by Stop
};

}  // namespace fpo::worker
