#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/process/program_run.h"
#include "coordinator/core/provision/provision_engine.h"
#include "coordinator/core/provision/provision_pool.h"

namespace fpo::coordinator {

// An operator's program: ARGV ask|look|call-off, with the request as JSON on its standard input.
// `ask` prints a name of its own for it, `look` gone, queued or running. docs/operations.md.
class CommandEngine final : public ProvisionEngine {
 public:
  CommandEngine(ProvisionPool pool, ProgramRunner run)
      : pool_(std::move(pool)), run_(std::move(run)) {}

  absl::StatusOr<std::string> Ask(const ProvisionRequest& request) override;
  absl::StatusOr<AllocationState> Look(const ProvisionRequest& request) override;
  absl::Status CallOff(const ProvisionRequest& request) override;

 private:
  absl::StatusOr<std::string> Call(const std::string& verb, const ProvisionRequest& request);

  const ProvisionPool pool_;
  const ProgramRunner run_;
};

std::unique_ptr<ProvisionEngine> MakeEngine(const ProvisionPool& pool, const ProgramRunner& run);

}  // namespace fpo::coordinator
