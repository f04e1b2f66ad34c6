#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

// In every synced batch, seen only in the write-ahead log.
inline constexpr char kSyncedMark[] = "fpo:synced";

// RocksDB replays its write-ahead logs up to the first damaged record and silently forgets the
// rest: right for the torn end that a power cut leaves, wrong for damage in the middle. DataLoss
// names file and place when a write that was synced, and thus acknowledged, follows such a record.
// OK when there are no logs. Reads them whole, some 64 MiB at most.
absl::Status CheckLogs(const std::string& folder);

}  // namespace fpo
