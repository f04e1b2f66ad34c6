#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/roots.h"
#include "common/job/job_config.h"
#include "common/object_store/object_url.h"
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
  // The same in object stores: buckets, or what lies below a prefix of one.
  std::vector<ObjectName> read_objects = {};
  std::vector<ObjectName> write_objects = {};
  // Where outputs are built that go to an object store; the agent's own.
  std::string pushed_outputs = {};

  bool anywhere() const {
    return read.empty() && write.empty() && read_objects.empty() && write_objects.empty();
  }
};

// Of `--root` and `--output-root`, whose entries are absolute paths or s3://BUCKET[/PREFIX].
// InvalidArgument names an entry that is neither.
absl::StatusOr<JobPlaces> PlacesOf(const std::vector<std::string>& roots,
                                   const std::vector<std::string>& output_roots);

// Whether jobs may read, or with `writes` write, what an s3:// URL names. InvalidArgument.
absl::Status CheckUrlPlace(const JobPlaces& places, const std::string& url, bool writes);
// The same for a path on this host that a URL of a job stands for.
absl::Status CheckReadable(const JobPlaces& places, const std::string& path);

// Where the output of a job lies on this host: the path itself; of a URL a folder below
// `pushed_outputs`, which is the same for every job with that output.
std::string LocalOutput(const JobPlaces& places, const std::string& output);

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
