#pragma once

#include "common/train_protocol.h"

namespace fpo::train {

// Where a run tells what it does: the agent's pipe, a person's terminal, or a test's list. Sequence
// number and time are the sink's to fill.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(TrainEvent event) = 0;
};

}  // namespace fpo::train
