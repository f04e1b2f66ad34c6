#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/provision/provision_pool.h"

namespace fpo::coordinator {

// The pools of a file as docs/operations.md describes it; read strictly: unknown keys, wrong types
// and values out of range are InvalidArgument, with file, line and key. `file` also tells where
// relative paths begin.
absl::StatusOr<std::vector<ProvisionPool>> ParseProvisionFile(absl::string_view text,
                                                              const std::string& file);
absl::StatusOr<std::vector<ProvisionPool>> ReadProvisionFile(const std::string& file);

}  // namespace fpo::coordinator
