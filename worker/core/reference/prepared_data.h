#pragma once

#include <string>

namespace fpo::worker {

// The folder that `fpo-train prepare` wrote: token files and, for a job that reads the reference
// cache, recipe and keys.

// Whether it is complete.
bool IsPrepared(const std::string& folder, bool with_reference);

// Digest of its token files, hex, as prepare.json has it; empty when it says none. Hosts of one job
// must have the same.
std::string PreparedDigest(const std::string& folder);

}  // namespace fpo::worker
