#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/backoff.h"
#include "worker/core/objects/output_mirror.h"
#include "worker/core/process/rank_process.h"

namespace fpo::worker {

// Sends a run's output to its object store while it trains. A checkpoint's event is handed on when
// the checkpoint is there, and not before: what the coordinator knows of, another host can resume
// from. Everything else is handed on at once. Thread-safe.
class OutputPusher final : public RankSink {
 public:
  struct Options {
    // While the store cannot be reached, training goes on, and it is tried again.
    Backoff::Options backoff = {.first = absl::Seconds(1), .most = absl::Minutes(1)};
    absl::Duration patience = absl::Hours(1);     // of Finish, with such a store
    absl::Duration last_push = absl::Minutes(5);  // of the same, for a run without a result
  };

  // `note`: for the job's log. All outlive this object.
  OutputPusher(Options options, OutputMirror* mirror, RankSink* next,
               std::function<void(const std::string&)> note);
  ~OutputPusher() override;

  void OnLine(int32_t rank, LineStream stream, const std::string& text) override;
  void OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) override;

  // After the ranks have ended. `finished`: with their result; sends all of it. Otherwise only what
  // is left of the checkpoints.
  absl::Status Finish(bool finished, std::stop_token stop);

 private:
  struct Held {
    int32_t rank = 0;
    TrainEvent event;
    std::string json;
  };

  void Run();
  absl::Status PushHeld(std::stop_token stop);
  absl::Status PushUntil(absl::Time deadline, bool finished, std::stop_token stop);

  const Options options_;
  OutputMirror* const mirror_;  // of the thread, then of Finish
  RankSink* const next_;
  const std::function<void(const std::string&)> note_;
  absl::Mutex mutex_;
  std::vector<Held> held_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace fpo::worker
