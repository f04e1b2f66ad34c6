#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/object_store/object_store.h"
#include "common/observe/metrics.h"
#include "worker/config.h"
#include "worker/core/objects/input_store.h"
#include "worker/core/process/cgroup.h"

namespace fpo::worker {

// Parts of a worker that are made from its configuration alone.

// Null: ranks run without cgroups of their own.
absl::StatusOr<std::unique_ptr<CgroupTree>> OpenCgroups(const WorkerConfig& config);

// What s3:// URLs of jobs are fetched with and kept in; both null where the environment's settings
// for them are wrong, which is logged: most workers need none.
struct ObjectStores {
  std::unique_ptr<ObjectStore> objects;
  std::unique_ptr<InputStore> inputs;
};
ObjectStores OpenObjectStores(const WorkerConfig& config);

// A series that says whether `file`, that of --token-file, can be read; none where it is empty.
// Calls go on with the last token until that one no longer counts.
void ShowTokenFile(MetricsRegistry* registry, const std::string& file);

}  // namespace fpo::worker
