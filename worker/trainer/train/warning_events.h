#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/trainer/train/event_sink.h"

namespace fpo::train {

// Each sentence as an event of its own.
inline void EmitWarnings(const std::vector<std::string>& sentences, EventSink& events) {
  for (const std::string& sentence : sentences) {
    TrainEvent event;
    event.kind = "warning";
    event.message = sentence;
    events.Emit(std::move(event));
  }
}

}  // namespace fpo::train
