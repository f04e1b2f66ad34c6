#pragma once

#include <deque>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/reconnect_policy.h"

namespace fpo::ctl {

// The changes of one job, across lost connections, until it has ended. A separate thread reads
// them. Thread-safe.
class JobFeed {
 public:
  struct Options {
    std::string job_id = {};
    bool answered =
        false;  // the coordinator was reached before: a first failure is a lost connection too
    ReconnectOptions reconnect = {};
  };
  struct Item {
    enum class Kind { kJob, kLost, kEnd };
    Kind kind = Kind::kEnd;
    fpo::v1::Job job = {};  // kJob
    absl::Status status =
        {};  // kLost: why. kEnd: OK after a terminal state, else why following ended
  };

  // `interrupt` outlives the feed; raising it ends the feed with reason INTERRUPTED.
  JobFeed(const CoordinatorClient& client, Options options, Interrupt& interrupt);
  ~JobFeed() { Stop(); }

  void Start();
  void Stop();

  // The next item, or nullopt at `deadline`. A kEnd is the last one.
  std::optional<Item> Next(absl::Duration patience);

 private:
  void Run();
  absl::Status Follow();
  void Push(Item item);

  const Options options_;
  Interrupt stop_;
  Interrupt::Scope on_interrupt_;
  CoordinatorClient client_;
  std::thread thread_;

  absl::Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::ctl
