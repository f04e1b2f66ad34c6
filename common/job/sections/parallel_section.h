#pragma once

#include <string>

namespace fpo {

// How several ranks share a training job.
struct ParallelSection {
  std::string shard = "auto";  // auto | none | optimizer | gradients
};

}  // namespace fpo
