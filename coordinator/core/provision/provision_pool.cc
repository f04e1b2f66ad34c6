#include "coordinator/core/provision/provision_pool.h"

#include <algorithm>

namespace fpo::coordinator {

absl::string_view EngineName(EngineKind kind) {
  switch (kind) {
    case EngineKind::kSlurm:
      return "Slurm";
    case EngineKind::kKubernetes:
      return "Kubernetes";
    case EngineKind::kCommand:
      return "the command";
  }
  return "";
}

int32_t WorkersFor(const ProvisionPool& pool, const Job& job) {
  return (job.demand.slots + pool.slots_per_worker - 1) / pool.slots_per_worker;
}

bool CanHold(const ProvisionPool& pool, const Job& job) {
  const int32_t workers = WorkersFor(pool, job);
  if (workers > pool.max_workers) return false;
  if (pool.max_workers_per_owner > 0 && workers > pool.max_workers_per_owner) return false;
  const auto& required = job.demand.require;
  return std::all_of(required.begin(), required.end(), [&](const auto& label) {
    const auto found = pool.labels.find(label.first);
    return found != pool.labels.end() && found->second == label.second;
  });
}

}  // namespace fpo::coordinator
