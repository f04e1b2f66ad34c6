#pragma once

#include <cstdint>

namespace fpo {

// Raises this process's limit of open files (ulimit -n), which shells set low, to what the system
// lets it; the limit then.
int64_t RaiseOpenFilesLimit();

// RocksDB's max_open_files below a limit: -1 keeps every file of the store open; a low limit leaves
// half of it to connections and to files that are being written, and RocksDB opens files again as
// it needs them, which is slower.
int MaxOpenTables(int64_t limit);

}  // namespace fpo
