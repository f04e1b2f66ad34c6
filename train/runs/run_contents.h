#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job/job_config.h"
#include "common/job/job_difference.h"
#include "train/runs/run_inputs.h"

namespace fpo::train {

// Digests of all that a run reads, by the job file's key: "model.path", "data.train", "sae.0.path".
// Only keys that the job has. Storage errors when a file of weights cannot be read.
absl::StatusOr<std::map<std::string, std::string>> ContentsOf(const JobConfig& job,
                                                              const RunInputs& inputs);

// For a run that continues with other paths: compares what is there with what run.json of `folder`
// says was there. InvalidArgument names the key, both paths, and that another model (or data, SAE,
// file of weights) is there now; also when run.json, of an older version, does not say it. OK when
// there is no run.json: nothing was trained.
absl::Status CheckSameContents(const std::string& folder, const std::vector<JobDifference>& changes,
                               const std::map<std::string, std::string>& contents);

// Whether batch.tokens_per_microbatch is among them.
bool ChangesMicroBatches(const std::vector<JobDifference>& changes);

// "continues with batch.tokens_per_microbatch: 8192 now, 16384 before; ..." or "".
std::string DescribeChanges(const std::vector<JobDifference>& changes);

}  // namespace fpo::train
