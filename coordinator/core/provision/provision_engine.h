#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/core/provision/provision_request.h"

namespace fpo::coordinator {

enum class AllocationState {
  kGone,     // unknown, or ended
  kQueued,   // the engine has not started it
  kRunning,  // its workers start or run
};

// What can start workers: a batch system, a cluster, an operator's program. Calls block, for
// seconds, and come from one thread.
class ProvisionEngine {
 public:
  virtual ~ProvisionEngine() = default;
  // Starts request.workers workers as one allocation called AllocationName, unless there is one;
  // returns the engine's name for it. Unavailable, DeadlineExceeded: it is not known whether it was
  // taken, and the same request must be asked again; any other error: it was not.
  virtual absl::StatusOr<std::string> Ask(const ProvisionRequest& request) = 0;
  virtual absl::StatusOr<AllocationState> Look(const ProvisionRequest& request) = 0;
  // Ends it, if there is one; `reference` may be empty.
  virtual absl::Status CallOff(const ProvisionRequest& request) = 0;
};

}  // namespace fpo::coordinator
