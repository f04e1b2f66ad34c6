#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// The folder that a job writes to, without "." and "..", doubled and trailing slashes. Empty for a
// job that writes to none. Links are not resolved: the paths are those of the workers.
std::string OutputFolderOf(const JobConfig& config);
// Output and size of the configuration, of a job that was stored before these were fields.
void AddOlderFields(const std::string& config_json, JobDemand* demand);

// Which jobs that have not ended write to which output folders. Not thread-safe.
class LiveOutputs {
 public:
  void Note(const std::string& output, const std::string& job_id, bool live);
  // Jobs whose folder is this one, above it or below it.
  std::vector<std::string> HoldersOf(const std::string& output) const;

 private:
  std::map<std::string, std::set<std::string>> jobs_;  // by folder, with a slash at its end
};

}  // namespace fpo::coordinator
