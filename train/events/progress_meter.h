#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/observe/work.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// Reports the work in progress when nothing else was reported for a while: all events of the
// program pass through it, and after `interval` without one the next piece of work done becomes a
// `progress` event. Its numbers are those of the outermost work that has any; the names of the work
// around and within it are its `activity`. It has no thread: a hanging program reports nothing.
// Thread-safe.
class ProgressMeter final : public EventSink, public WorkListener {
 public:
  struct Options {
    std::string phase = "train";  // until a piece of work sets another
    absl::Duration interval = absl::Seconds(2);
    std::function<absl::Time()> clock = [] { return absl::Now(); };
  };
  // Observes the process's work for its lifetime. `events` is not owned.
  ProgressMeter(EventSink& events, Options options);
  ~ProgressMeter() override;
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;

  void Emit(TrainEvent event) override;
  void OnWork(const std::vector<WorkState>& pieces) override;

 private:
  EventSink& events_;
  const Options options_;
  WorkListener* const before_;
  absl::Mutex mutex_;
  std::string phase_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_ ABSL_GUARDED_BY(mutex_);  // of the last event of any kind
};

}  // namespace fpo::train
