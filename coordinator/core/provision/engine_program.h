#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/process/program_run.h"
#include "coordinator/core/provision/provision_pool.h"

namespace fpo::coordinator {

struct EngineCall {
  std::vector<std::string> argv;
  std::string input = {};
  bool may_refuse = false;  // an exit code other than 0 says that nothing was done
};

// Runs a program of the pool's engine; what it printed. FailedPrecondition: it refused.
// Unavailable, DeadlineExceeded: it failed or did not end in time, and may have done what was
// asked.
absl::StatusOr<std::string> AskProgram(const ProgramRunner& run, const ProvisionPool& pool,
                                       const EngineCall& call);

}  // namespace fpo::coordinator
