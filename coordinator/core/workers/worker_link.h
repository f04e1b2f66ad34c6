#pragma once

#include "absl/status/status.h"
#include "common/values/worker_command.h"

namespace fpo::coordinator {

// The channel to one agent, implemented by the network edge. Thread-safe; neither call blocks nor
// calls back into the coordinator.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // Queued in order; lost when the connection breaks. A full queue ends the session.
  virtual void Send(const WorkerCommand& command) = 0;
  virtual void Close(const absl::Status& why) = 0;  // ends the session; later sends do nothing
};

}  // namespace fpo::coordinator
