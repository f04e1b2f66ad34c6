#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/fleet/slurm_script.h"
#include "common/values/worker_device.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// Labels of workers that a pool started: the pool's name, and the request that they came by.
inline constexpr char kPoolLabel[] = "pool";
inline constexpr char kRequestLabel[] = "fpo-request";

// What starts the workers of a pool.
enum class EngineKind { kSlurm, kKubernetes, kCommand };

struct SlurmPool {
  SlurmWorkers workers;              // all but what a request decides
  std::vector<std::string> options;  // further words for sbatch, "--qos=low"
  std::string sbatch = "sbatch";
  std::string squeue = "squeue";
  std::string scancel = "scancel";
};

struct KubernetesPool {
  std::string manifest;  // JSON of a Job or JobSet; what a request decides is filled in
  std::string kubectl = "kubectl";
  std::string name_space;  // empty: kubectl's own
};

// Workers of one shape, which an engine can start. Filled by provision_file.h.
struct ProvisionPool {
  std::string name;
  EngineKind engine = EngineKind::kCommand;
  DeviceKind device = DeviceKind::kCpu;
  int32_t slots_per_worker = 1;
  int32_t max_workers = 0;                    // that were asked for and have not ended
  int32_t max_workers_per_owner = 0;          // of them, for jobs of one owner; 0: any number
  std::map<std::string, std::string> labels;  // of each worker, with kPoolLabel
  absl::Duration idle = absl::Minutes(10);    // fpo-worker --exit-when-idle
  // So long a job must lack workers before some are asked for, and workers that were asked for must
  // be of no use before they are called off.
  absl::Duration ask_after = absl::Seconds(30);
  absl::Duration queue_for = absl::Hours(24);        // in the engine's queue; then a request failed
  absl::Duration arrive_within = absl::Minutes(15);  // from the engine's start of the workers on
  absl::Duration look_every = absl::Seconds(15);     // at what became of a request
  absl::Duration answer_time = absl::Seconds(30);    // of the engine's programs
  SlurmPool slurm;
  KubernetesPool kubernetes;
  std::vector<std::string> argv;  // of kCommand
};

absl::string_view EngineName(EngineKind kind);  // "Slurm"
// Workers that hold the job's slots.
int32_t WorkersFor(const ProvisionPool& pool, const Job& job);
// Whether the pool may ever hold the whole job: its labels, and its limits.
bool CanHold(const ProvisionPool& pool, const Job& job);

}  // namespace fpo::coordinator
