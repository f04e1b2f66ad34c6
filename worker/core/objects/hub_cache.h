#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/object_store/object_url.h"

namespace fpo::worker {

// A commit of a repository in the cache of the Hugging Face libraries on this host:
// CACHE/models--ORG--NAME/{refs/REVISION,snapshots/COMMIT/,blobs/}.
struct HubSnapshot {
  std::string path;    // what the URL names; its links lead into blobs/
  std::string commit;  // which never changes its content
};

// The cache's folder as those libraries choose it: HF_HUB_CACHE, HF_HOME/hub,
// XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub. `environment`: "NAME=value".
std::string HubCacheOf(const std::vector<std::string>& environment);

// Nothing is downloaded. NotFound: it is not there, with the command that fetches it;
// FailedPrecondition: a download of the repository is not complete; PermissionDenied: a link leads
// out of the repository's folder.
absl::StatusOr<HubSnapshot> FindHubSnapshot(const std::string& cache, const HubPath& hub);

}  // namespace fpo::worker
