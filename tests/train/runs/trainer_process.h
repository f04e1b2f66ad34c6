#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "tests/integration/process.h"
#include "tests/train/support/tiny_run.h"

namespace fpo::train {

// fpo-train as processes on a tiny model and job: what a kill really leaves.
class TrainerProcesses {
 public:
  // `job` starts as TinyRun's fpo job, on one thread, with its reference computed by the first run.
  TrainerProcesses();

  const TinyRun tiny;  // before the job, which names its files
  JobConfig job;
  std::map<int64_t, std::string> failpoints;  // by rank, of processes started from now on
  int rank_timeout_seconds = 600;             // fpo-train's own
  std::string Out(const std::string& name) const { return tiny.Path(name); }
  std::string Log(const std::string& name) const { return Slurp(tiny.Path(name + ".log")); }

  // One process of a run into Out(name), which continues where an earlier one ended.
  testing::Process Start(const std::string& name, int64_t rank = 0, int64_t world = 1,
                         int port = 0);
  // All ranks of a run, on a free port.
  std::vector<testing::Process> StartRanks(const std::string& name, int64_t world);
  // Runs to the end; every rank must exit with 0.
  void Finish(const std::string& name, int64_t world = 1);
  // Waits until the run has written the metrics of `step`; false after 60 s.
  bool WaitForStep(const std::string& name, int64_t step) const;

  // Bytes that differ between two finished runs: weights, the newest checkpoint's tensors, and the
  // metrics but for times and memory.
  int64_t DifferingBytes(const std::string& a, const std::string& b) const;
};

}  // namespace fpo::train
