#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/output_folder.h"
#include "common/job/job_config.h"
#include "common/job/job_difference.h"
#include "common/outputs/output_lock.h"

namespace fpo::train {

// The output folder of one run. A folder belongs to the job whose job.yaml it contains.
class RunFolder {
 public:
  enum class State { kFresh, kStarted, kFinished };

  // Creates the folder if it is missing. Storage error when it is not writable. AlreadyExists when
  // it holds a run and `resume` is false, or a run with other settings, whose keys it names. A
  // finished run that needs more steps is kStarted.
  // With `holder` the folder is this process's alone (OutputLock) until the object ends; storage
  // error when another has it.
  static absl::StatusOr<RunFolder> Open(const std::string& path, const JobConfig& job, bool resume,
                                        const std::optional<OutputHolder>& holder = std::nullopt);

  const std::string& path() const { return path_; }
  State state() const { return state_; }
  const std::optional<FolderRun>& run() const { return run_; }  // found on opening; nullopt: none
  // How the job differs from that of the run it continues, and yet may continue it.
  const std::vector<JobDifference>& changes() const { return changes_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

  absl::Status WriteJob(const JobConfig& job) const;         // job.yaml
  absl::Status WriteRunJson(const std::string& json) const;  // run.json
  // admission.json, and chat.json when the prepared folder has one.
  absl::Status CopyFromPrepared(const std::string& prepared) const;

 private:
  RunFolder(std::string path, State state, std::optional<FolderRun> run)
      : path_(std::move(path)), state_(state), run_(std::move(run)) {}
  std::string path_;
  State state_;
  std::optional<FolderRun> run_;
  std::unique_ptr<OutputLock> lock_;  // null: without a holder
  std::vector<JobDifference> changes_;
};

// What a command of another kind of job writes, and for whom.
struct JobOutput {
  std::string command;
  std::string out;      // its --out
  std::string attempt;  // of the service that started it, "JOB/ATTEMPT/EPOCH"; empty: by hand
};

// The output folder of such a job, for this process alone. Null for other commands, and by hand,
// where such a command writes a file whose folder is anybody's. Storage error: another process has
// it.
absl::StatusOr<std::unique_ptr<OutputLock>> LockOutputOf(const JobOutput& output);

}  // namespace fpo::train
