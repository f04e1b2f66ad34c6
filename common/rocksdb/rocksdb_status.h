#pragma once

#include <rocksdb/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The only translator of RocksDB errors. `what` says what was attempted and where: "write to
// /data". Corruption: DataLoss; no space: ResourceExhausted; a lock held by another process:
// FailedPrecondition; other I/O: Unavailable.
absl::Status FromRocksStatus(const rocksdb::Status& status, absl::string_view what);

// A copy of a store that could not be made in `folder`. Its folder's trouble must not look like the
// program's own: "unavailable", which callers try again, becomes FailedPrecondition.
absl::Status NotCopied(const absl::Status& status, const std::string& folder);

}  // namespace fpo
