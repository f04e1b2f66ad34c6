#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "common/process/program_run.h"
#include "coordinator/core/provision/provision_engine.h"
#include "coordinator/core/provision/provision_pool.h"

namespace fpo::coordinator {

// InvalidArgument says what hinders the pool's manifest from being filled in: it must be a Job or a
// JobSet of one replicated Job, whose first container is an fpo-worker without the flags that the
// pool decides.
absl::Status CheckManifest(const ProvisionPool& pool);

// The manifest of a request: its name, parallelism and labels, and the worker's flags.
absl::StatusOr<std::string> ManifestOf(const ProvisionPool& pool, const ProvisionRequest& request);

// Workers as a Job or JobSet, by kubectl. Its name says which request it is.
class KubernetesEngine final : public ProvisionEngine {
 public:
  KubernetesEngine(ProvisionPool pool, ProgramRunner run)
      : pool_(std::move(pool)), run_(std::move(run)) {}

  absl::StatusOr<std::string> Ask(const ProvisionRequest& request) override;
  absl::StatusOr<AllocationState> Look(const ProvisionRequest& request) override;
  absl::Status CallOff(const ProvisionRequest& request) override;

 private:
  // What kubectl knows of the object, as JSON; empty: there is none.
  absl::StatusOr<std::string> Find(const ProvisionRequest& request);

  const ProvisionPool pool_;
  const ProgramRunner run_;
};

}  // namespace fpo::coordinator
