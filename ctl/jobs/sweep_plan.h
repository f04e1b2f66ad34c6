#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "ctl/jobs/job_source.h"

namespace fpo::ctl {

inline constexpr size_t kSweepRunsMax = 256;

// One key of the job file and the values it takes; or named runs, each of which changes keys.
struct GridAxis {
  std::string key;  // of runs "run", which is no key of the job file
  std::vector<std::string> values;
  std::vector<JobRun> runs = {};  // named by `values`; empty: a key
};

// "method.beta=0.1,0.5". Commas within brackets do not separate values. InvalidArgument (usage).
absl::StatusOr<GridAxis> ParseGridAxis(const std::string& text);

GridAxis AxisOfRuns(std::vector<JobRun> runs);

struct SweepRun {
  JobConfig config;
  std::vector<std::string> values;  // one per axis
  int reference = -1;               // index of the reference job it waits for; -1: none
};

// The jobs of a grid: every combination of values, the last axis fastest. Runs that need the same
// reference records, at least two, wait for one job that computes them.
struct SweepPlan {
  std::vector<JobConfig> references;
  std::vector<SweepRun> runs;
};

// `load` gives the job under these changes, or says what is wrong with it. At most one axis is of
// runs. Names and output folders become those of the runs: below the job's own output folder.
// InvalidArgument when there are too many runs; the first error of `load`.
absl::StatusOr<SweepPlan> PlanSweep(
    const std::vector<GridAxis>& axes,
    const std::function<absl::StatusOr<JobConfig>(const JobChanges&)>& load);

// The job that only computes the reference records of all data of `config`; its name and folder get
// the suffix.
JobConfig ReferenceJobOf(const JobConfig& config, const std::string& suffix = "-reference");

}  // namespace fpo::ctl
