#pragma once

#include <cstdint>
#include <string>

namespace fpo::worker {

// Memory that processes of this host may have together: all of it, or the least limit among the
// control group (version 2) of this process and those above it. 0 when /proc does not say. `root`:
// of the file system, for tests.
int64_t HostMemoryBytes(const std::string& root = "");

}  // namespace fpo::worker
