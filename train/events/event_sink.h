#pragma once

#include <functional>
#include <string>

#include "common/train_protocol.h"

namespace fpo::train {

// Receives the events of a run: the agent's pipe, a person's terminal, or a test's list. The sink
// sets sequence number and time.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(TrainEvent event) = 0;
};

// Emits its argument as a warning, for code that knows no events.
inline std::function<void(const std::string&)> WarnOn(EventSink& events) {
  return [&events](const std::string& message) { events.Emit(WarningEvent(message)); };
}

}  // namespace fpo::train
