#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/roots.h"
#include "common/job/job_config.h"
#include "common/values/worker_command.h"

namespace fpo::worker {

// Where on this host jobs may read and write: `--root` and `--output-root`. Without either,
// anywhere that the agent's user may; that is for one machine whose users share it
// (WorkerConfig::Validate).
struct JobPlaces {
  Roots read = Roots({});
  Roots write = Roots({});  // jobs may read there too
  // Servers that judges may be, with the file of the key that may be sent there and nowhere else
  // (--judge); "": none. It lies outside the roots, where every job could read it.
  std::map<std::string, std::string> judges = {};

  bool anywhere() const { return read.empty() && write.empty(); }
};

// Every path of the job, with what links below it lead to, and the server that judges, before
// anything is started that would open it. InvalidArgument names the key, the path and the folders
// that are open; what does not exist below them is left to CheckInputsExist.
absl::Status CheckPlaces(const JobPlaces& places, const JobConfig& config);

// Whether a folder that the coordinator names may be a job's output or a checkpoint here.
absl::Status CheckOutputPlace(const JobPlaces& places, const std::string& folder);

// OUTPUT/.owner binds an output folder to the first owner whose job writes there. InvalidArgument
// when it belongs to another one, or, where outputs have roots, when it holds a run of unknown
// owner. `bind`: write it when there is none.
absl::Status CheckOwner(const JobPlaces& places, const JobConfig& config, const std::string& owner,
                        bool bind);

// Whether the order's owner may have the files: they lie where jobs write, in a folder of that
// owner. PermissionDenied otherwise.
absl::Status MayServe(const JobPlaces& places, const ServeArtifactCommand& order);

}  // namespace fpo::worker
