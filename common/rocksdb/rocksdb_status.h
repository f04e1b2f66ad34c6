#pragma once

#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// The only translator of RocksDB errors. `what` says what was attempted and where: "write to
// /data". Corruption: DataLoss; no space: ResourceExhausted; a lock held by another process:
// FailedPrecondition; other I/O: Unavailable.
absl::Status FromRocksStatus(const rocksdb::Status& status, absl::string_view what);

}  // namespace fpo
