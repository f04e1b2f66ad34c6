#pragma once

#include <cstdint>
#include <string>

namespace fpo {

// A file of a job's result or of one of its checkpoints.
struct ArtifactFile {
  std::string name = {};  // relative, with slashes
  int64_t bytes = 0;
  std::string sha256 = {};  // hex, where the manifest of a checkpoint names it

  bool operator==(const ArtifactFile&) const = default;
};

}  // namespace fpo
