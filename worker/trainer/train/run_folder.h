#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/job_config.h"

namespace fpo::train {

// The output folder of one run and whose it is. A folder belongs to the job whose job.yaml lies in
// it.
class RunFolder {
 public:
  enum class State { kFresh, kStarted, kFinished };

  // Creates the folder when it is missing. Storage error when it cannot be written to.
  // AlreadyExists when it holds a run and `resume` is false, or holds the run of another job.
  static absl::StatusOr<RunFolder> Open(const std::string& path, const JobConfig& job, bool resume);

  const std::string& path() const { return path_; }
  State state() const { return state_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

  absl::Status WriteJob(const JobConfig& job) const;              // job.yaml
  absl::Status WriteRunJson(const std::string& json) const;       // run.json
  absl::Status CopyAdmission(const std::string& prepared) const;  // admission.json

 private:
  RunFolder(std::string path, State state) : path_(std::move(path)), state_(state) {}
  std::string path_;
  State state_;
};

// Equal in everything that decides the numbers of a run. Name, labels, output, resources, retries,
// how often to evaluate and checkpoint may differ; so may the number of steps under a constant
// schedule.
bool SameRun(const JobConfig& a, const JobConfig& b);

}  // namespace fpo::train
