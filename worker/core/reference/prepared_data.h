#pragma once

#include <string>

namespace fpo::worker {

// The folder that `fpo-train prepare` wrote: token files and, for a job that reads the reference
// cache, recipe and keys.

// Whether it is complete.
bool IsPrepared(const std::string& folder, bool with_reference);

// Hex digest of its token files, from prepare.json; empty when that has none. All hosts of a job
// must have the same.
std::string PreparedDigest(const std::string& folder);

}  // namespace fpo::worker
