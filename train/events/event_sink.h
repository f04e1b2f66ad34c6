#pragma once

#include <string>
#include <utility>

#include "common/train_protocol.h"

namespace fpo::train {

// Where a run tells what it does: the agent's pipe, a person's terminal, or a test's list. Sequence
// number and time are the sink's to fill.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(TrainEvent event) = 0;
};

inline void EmitPhase(EventSink& events, const std::string& phase, const std::string& message) {
  TrainEvent event;
  event.kind = "phase";
  event.phase = phase;
  event.message = message;
  events.Emit(std::move(event));
}

inline void EmitWarning(EventSink& events, const std::string& message) {
  TrainEvent event;
  event.kind = "warning";
  event.message = message;
  events.Emit(std::move(event));
}

}  // namespace fpo::train
