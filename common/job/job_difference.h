#pragma once

#include <string>
#include <vector>

#include "common/job/job_config.h"

namespace fpo {

// A key of the job file that two jobs set differently.
struct JobDifference {
  std::string key;     // dotted: "optimizer.lr"
  std::string first;   // as in the file: "1e-05"
  std::string second;  // "(absent)" where the other has no such entry
  // A path: the runs differ only if what is there differs, which fpo-train compares by digest.
  bool is_path = false;
};

// The keys that differ among those that decide the numbers of a run: two jobs without a difference
// may share an output folder, one continuing where the other stopped. Name, labels, output,
// resources, retries, sharing, how often to evaluate and checkpoint, evaluate.patience, which
// features are only looked at (constraint.sets, constraint.on_broken), and how a step is computed
// (batch.tokens_per_microbatch, activation_checkpointing) may differ; so may the number of steps
// and epochs under a constant schedule, whose learning rates do not depend on it.
std::vector<JobDifference> RunDifferences(const JobConfig& first, const JobConfig& second);

// Of these those that name no path, so that the jobs are certainly of different runs.
std::vector<JobDifference> DecidingDifferences(const JobConfig& first, const JobConfig& second);

// What may differ and yet should be said when a run continues: paths, and how a step is computed.
std::vector<JobDifference> NotedDifferences(const JobConfig& first, const JobConfig& second);

// "optimizer.lr: 1e-05 HERE, 0.0001 THERE; seed: ...", at most four, and how many more there are.
std::string DescribeDifferences(const std::vector<JobDifference>& differences,
                                const std::string& here, const std::string& there);

}  // namespace fpo
