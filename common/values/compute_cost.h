#pragma once

namespace fpo {

// What computing some records took, as their builder measured it; to whoever finds them, what they
// save. 0: unknown.
struct ComputeCost {
  double seconds = 0;
  double flops = 0;

  bool operator==(const ComputeCost&) const = default;
};

}  // namespace fpo
