#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/loop/trainer.h"

namespace fpo::train {

struct RunOptions {
  std::string out;                 // output folder
  std::string prepared;            // folder of 'prepare'; empty: prepared here, in OUT/prepared
  std::string reference = "auto";  // a .fpr file | online | auto
  bool resume = false;
  at::Device device = at::kCPU;
  std::string version;       // of this program, for run.json
  std::string attempt = "";  // of the service that started it, "JOB/ATTEMPT/EPOCH"; empty: none
};

// `fpo-train run`: data, reference, training, export and report, all into OUT. Resuming a finished
// run that has all the steps the job asks for trains nothing and reports its result again. With
// environment.measure nothing is exported.
absl::Status RunTraining(const JobConfig& job, const RunOptions& options,
                         const RunEnvironment& environment);

}  // namespace fpo::train
