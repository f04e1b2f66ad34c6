#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fpo {

// A named set of SAE features that a run must not move.
struct FeatureSetSection {
  std::string name;                  // [a-z0-9_-]{1,63}
  std::vector<int64_t> features;     // of that SAE, or:
  std::string features_file;         // with one index a line
  int64_t sae = 0;                   // which one of the job's
  std::optional<double> max_change;  // must be given
  std::string unit = "relative";     // relative | absolute
  std::string side = "both";         // both | chosen | rejected
};

// What a run promises about the divergence from the reference.
struct ConstraintSection {
  std::optional<double> budget;  // mean divergence that alpha is adapted to
  std::vector<FeatureSetSection> sets;
  std::string on_broken = "refuse";  // refuse | warn: publish model/ although a set has moved
};

}  // namespace fpo
