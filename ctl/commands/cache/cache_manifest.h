#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/cache_client/reference_cache_client.h"

namespace fpo::ctl {

// The id of the one manifest whose hex id begins with `prefix`. NotFound: none or several.
absl::StatusOr<Digest> FindManifest(ReferenceCacheClient& cache, const std::string& prefix);

}  // namespace fpo::ctl
