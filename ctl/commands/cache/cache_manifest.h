#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ctl/rpc/cache_client.h"

namespace fpo::ctl {

// The 32-byte id of the one manifest whose hex id begins with `prefix`. NotFound: none or several.
absl::StatusOr<std::string> FindManifest(CacheClient& cache, const std::string& prefix);

}  // namespace fpo::ctl
