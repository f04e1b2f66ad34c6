#pragma once

#include <string>
#include <utility>

#include "common/process/program_run.h"
#include "coordinator/core/provision/provision_engine.h"
#include "coordinator/core/provision/provision_pool.h"

namespace fpo::coordinator {

// The script of a request's workers.
std::string ScriptOf(const ProvisionPool& pool, const ProvisionRequest& request);

// Workers as a job of Slurm, by sbatch, squeue and scancel. Its name says which request it is.
class SlurmEngine final : public ProvisionEngine {
 public:
  SlurmEngine(ProvisionPool pool, ProgramRunner run)
      : pool_(std::move(pool)), run_(std::move(run)) {}

  absl::StatusOr<std::string> Ask(const ProvisionRequest& request) override;
  absl::StatusOr<AllocationState> Look(const ProvisionRequest& request) override;
  absl::Status CallOff(const ProvisionRequest& request) override;

 private:
  struct Listed {
    std::string id;  // empty: none
    AllocationState state = AllocationState::kGone;
  };
  absl::StatusOr<Listed> Find(const ProvisionRequest& request);

  const ProvisionPool pool_;
  const ProgramRunner run_;
};

}  // namespace fpo::coordinator
