#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cache/core/store/stored_values.h"
#include "common/access_list.h"

namespace fpo::cache {

// Who may do what with a manifest. Its records are read only through it: knowing a key gives no
// right to the record.

inline constexpr size_t kSharesMax = 1024;  // owners of one manifest

// An owner registers the manifest, perhaps again: the latest registration decides with whom it is
// shared. ResourceExhausted: too many owners.
absl::Status AddShare(const ManifestShare& share, std::vector<ManifestShare>* shares);

// PermissionDenied (NOT_SHARED) unless one of the owners lets `reader` see it. Agents and admins
// may read everything.
absl::Status MayRead(const ManifestHeader& header, const Principal& reader);
// PermissionDenied (NOT_YOURS) unless `caller` registered it or is an admin.
absl::Status MayChange(const ManifestHeader& header, const Principal& caller);

}  // namespace fpo::cache
