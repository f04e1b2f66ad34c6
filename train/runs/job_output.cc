#include "train/runs/job_output.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "train/events/exit_status.h"

namespace fpo::train {

absl::StatusOr<std::unique_ptr<OutputLock>> LockOutputOf(const JobOutput& output) {
  std::unique_ptr<OutputLock> none;
  const std::string& command = output.command;
  const bool writes = command == "evaluate" || command == "sae" || command == "generate";
  if (output.attempt.empty() || !writes) return none;
  const bool is_file = command != "sae" || absl::EndsWith(output.out, ".npz");
  const std::filesystem::path out(output.out);
  auto lock =
      OutputLock::Take((is_file ? out.parent_path() : out).string(), HolderOf(output.attempt));
  if (!lock.ok()) return AsStorageError(lock.status());
  return lock;
}

}  // namespace fpo::train
