#pragma once

#include "common/train_protocol.h"

namespace fpo::train {

// Receives the events of a run: the agent's pipe, a person's terminal, or a test's list. The sink
// sets sequence number and time.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(TrainEvent event) = 0;
};

}  // namespace fpo::train
