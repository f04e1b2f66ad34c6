#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace fpo::agent {

// The file system that holds `path`, or its nearest existing parent, has at least that much room
// for us. Unavailable names both numbers: another host may have it.
absl::Status CheckFreeBytes(const std::string& path, int64_t bytes);

// Ranks of one host talk through shared memory: 16 MiB of it for each. Unavailable names the
// numbers and the way out; a machine without such a folder does without.
absl::Status CheckSharedMemory(const std::string& path, int32_t ranks);

// `path` can be made and written. InvalidArgument names the folder that forbids it; Unavailable:
// its file system is read-only here.
absl::Status CheckCanWrite(const std::string& path);

// Removes job folders below WORK/jobs that nothing was written to for a week.
void RemoveOldWork(const std::string& work_dir);

}  // namespace fpo::agent
