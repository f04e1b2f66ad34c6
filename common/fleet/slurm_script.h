#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fpo {

// Agents as one job of Slurm: one on each of its nodes.
struct SlurmWorkers {
  std::string job_name = "fpo-workers";
  int64_t nodes = 1;
  int64_t gpus = 1;   // of each node; 0: the CPU
  int64_t cpus = 0;   // of each node; 0: what Slurm gives
  int64_t slots = 0;  // of each node; 0: one for each GPU, or one
  std::string time;   // limit, as sbatch takes it; empty, as the next two: the cluster's default
  std::string partition;
  std::string account;
  std::string coordinator;  // host:port, as the next; of several coordinators all, with commas
  std::string cache;
  std::string tls_ca;      // their CA; empty: none
  std::string work_dir;    // on the disk of each node
  std::string token_file;  // of role worker, for the names slurm-*; empty: none
  std::vector<std::string> roots;
  std::vector<std::string> output_roots;
  std::map<std::string, std::string> labels;
  absl::Duration notice = absl::Minutes(5);  // between Slurm's warning and the end
  // An agent that had nothing to do for so long ends; zero: never.
  absl::Duration exit_when_idle = absl::ZeroDuration();
  bool requeue = true;  // the job starts over after its time limit
};

// InvalidArgument names the option, after `prefix`: a value that sbatch would take for something
// else, a relative path, a notice too short for a checkpoint. A prefix that ends with '.' is that
// of keys, whose words are joined by '_'.
absl::Status CheckSlurmWorkers(const SlurmWorkers& workers, absl::string_view prefix);

// The sbatch script.
std::string SlurmScript(const SlurmWorkers& workers);

}  // namespace fpo
