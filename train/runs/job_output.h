#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/outputs/output_lock.h"

namespace fpo::train {

// What a command writes, and for whom.
struct JobOutput {
  std::string command;
  std::string out;      // its --out
  std::string attempt;  // of the service that started it, "JOB/ATTEMPT/EPOCH"; empty: by hand
};

// The output folder of a job of another kind than train, for this process alone; that of a run is
// locked by its RunFolder. Null for other commands, and by hand, where such a command writes a file
// whose folder is anybody's. Storage error: another process has it.
absl::StatusOr<std::unique_ptr<OutputLock>> LockOutputOf(const JobOutput& output);

}  // namespace fpo::train
