#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "train/events/event_sink.h"

namespace fpo::train {

// Writes events as JSON lines to the agent's pipe. A full pipe never stops training: `step` and
// `progress` are dropped and counted in the next event ("dropped_events"), others wait up to
// `patience`. Once the reader is gone, everything is discarded. Not thread-safe.
class EventWriter final : public EventSink {
 public:
  struct Options {
    int descriptor = 3;
    absl::Duration patience = absl::Seconds(60);
  };
  explicit EventWriter(Options options);
  void Emit(TrainEvent event) override;

 private:
  bool Write(absl::string_view line, bool may_drop);
  bool WaitWritable(absl::Time deadline) const;
  Options options_;
  uint64_t seq_ = 0;
  int64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace fpo::train
