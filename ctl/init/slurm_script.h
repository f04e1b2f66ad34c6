#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "ctl/command_line/invocation.h"

namespace fpo::ctl {

// Agents as one job of Slurm: one on each of its nodes.
struct SlurmWorkers {
  int64_t nodes = 1;
  int64_t gpus = 1;  // of each node; 0: the CPU
  int64_t cpus = 0;  // of each node; 0: what Slurm gives
  std::string time;  // limit, as sbatch takes it; empty, as the next two: the cluster's default
  std::string partition;
  std::string account;
  std::string work_dir;    // on the disk of each node
  std::string token_file;  // of role worker, for the names slurm-*; empty: none
  std::vector<std::string> roots;
  std::vector<std::string> output_roots;
  absl::Duration notice = absl::Minutes(5);  // between Slurm's warning and the end
};

// InvalidArgument names the option: a value that sbatch would take for something else, a relative
// path, roots that the agents would miss, a notice too short for a checkpoint.
absl::Status CheckSlurmWorkers(const SlurmWorkers& workers, const Settings& settings);

// The sbatch script. `settings` say where coordinator and cache are, and which CA they have.
std::string SlurmScript(const SlurmWorkers& workers, const Settings& settings);

}  // namespace fpo::ctl
