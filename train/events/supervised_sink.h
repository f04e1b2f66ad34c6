#pragma once

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "train/events/console_progress.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// Used under an agent: every event goes to `events`, and what belongs in the job's log goes to
// `log` as plain lines, progress about every ten seconds. Warnings and errors are already logged by
// the agent and by main's stderr. Not thread-safe.
class SupervisedSink final : public EventSink {
 public:
  // `log` is not owned.
  explicit SupervisedSink(std::unique_ptr<EventSink> events, std::FILE* log = stdout)
      : events_(std::move(events)), log_(LogOptions(log)) {}
  void Emit(TrainEvent event) override;

 private:
  static ConsoleProgress::Options LogOptions(std::FILE* log) {
    ConsoleProgress::Options options;
    options.stream = log;
    options.terminal = false;
    // Work is reported every two seconds, so a line appears after ten at the latest.
    options.plain_interval = absl::Seconds(8);
    return options;
  }

  const std::unique_ptr<EventSink> events_;
  ConsoleProgress log_;
};

}  // namespace fpo::train
