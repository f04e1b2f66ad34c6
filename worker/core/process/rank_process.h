#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/train_protocol.h"
#include "common/values/line.h"
#include "worker/core/process/cgroup.h"
#include "worker/core/process/event_reader.h"
#include "worker/core/process/rank_environment.h"
#include "worker/core/process/rank_exit.h"
#include "worker/core/process/spawner.h"

namespace fpo::worker {

// Receives the output of one rank's process. Called on that process's thread, in the order of each
// stream; the last call comes before Wait returns.
class RankSink {
 public:
  virtual ~RankSink() = default;
  virtual void OnLine(int32_t rank, LineStream stream, const std::string& text) = 0;
  virtual void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) = 0;
};

struct RankCommand {
  RankIdentity identity = {};
  SpawnRequest spawn = {};        // environment: see RankEnvironment
  CgroupTree* cgroups = nullptr;  // where its cgroup is created; null: it has none
  // One that SIGKILL did not end by then is given up: it waits in the kernel (state D).
  absl::Duration death_time = absl::Seconds(5);
};

// One trainer process with everything it starts, its pipes and the thread that reads them.
// Thread-safe.
class RankProcess {
 public:
  // `sink` outlives the process. Errors are those of Spawner::Spawn.
  static absl::StatusOr<std::unique_ptr<RankProcess>> Start(Spawner& spawner,
                                                            const RankCommand& command,
                                                            RankSink& sink);
  ~RankProcess();  // kills what is left and joins

  pid_t pid() const { return process_.pid; }  // also its process group and session

  // Sends one command line to descriptor 4. Unavailable when the process no longer reads.
  absl::Status Send(const TrainCommand& command);
  // SIGTERM to the group now, SIGKILL after `grace`; zero: SIGKILL at once. Of several calls the
  // earliest SIGKILL applies.
  void Stop(absl::Duration grace);
  // Blocks until the process and everything it started is gone, or survived SIGKILL for
  // `death_time`.
  RankExit Wait();
  // Its exit, if it comes within `patience`.
  bool WaitFor(absl::Duration patience, RankExit* exit);

 private:
  struct Stream;

  struct Started {
    SpawnedProcess process;
    std::unique_ptr<RankCgroup> cgroup;  // null: none
  };
  RankProcess(const RankCommand& command, Started started, RankSink& sink);

  void Run();
  void PollOnce(std::vector<Stream>* streams);
  void Read(Stream* stream);
  void OnExit();
  void Kill();
  bool RanOutOfMemory() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasEnded();
  void CleanUp();
  absl::Duration TimeToNextDeadline();

  const RankIdentity identity_;
  const absl::Duration death_time_;
  const int64_t oom_kills_before_;
  RankSink& sink_;
  SpawnedProcess process_;
  const std::unique_ptr<RankCgroup> cgroup_;
  FileDescriptor wake_;  // eventfd: Stop changed a deadline
  EventReader events_;   // used only by the thread

  absl::Mutex mutex_;
  absl::Time kill_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time give_up_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time drain_until_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool exited_ ABSL_GUARDED_BY(mutex_) = false;  // not reaped before the group is dealt with
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  RankExit exit_ ABSL_GUARDED_BY(mutex_);

  absl::Mutex send_mutex_;  // one command line at a time
  std::thread thread_;
};

}  // namespace fpo::worker
