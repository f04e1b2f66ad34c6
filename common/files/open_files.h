#pragma once

#include <cstdint>

namespace fpo {

// Raises this process's limit of open files (ulimit -n), which shells set low, to what the system
// lets it; the limit then.
int64_t RaiseOpenFilesLimit();

// How a limit is divided, so that neither connections nor a store take the other's share.

// RocksDB's max_open_files: -1 keeps every file of the store open; of a low limit it gets half, and
// opens files again as it needs them, which is slower.
int MaxOpenTables(int64_t limit);
// Connections that a server may hold at once.
int MaxConnections(int64_t limit);

}  // namespace fpo
