#pragma once

#include <map>
#include <string>

#include "common/job/job_config.h"

namespace fpo::train {

// Detects a constraint that outweighs the preference: alpha does not transfer between models,
// layers and SAEs, and D may exceed the margin by orders of magnitude.
class ConstraintScale {
 public:
  explicit ConstraintScale(const MethodSection& method) : method_(method) {}

  // Takes a step's metrics. Once per run returns the warning, when alpha * beta *
  // divergence/rejected exceeds ten times the larger of the reward margin and ln 2 (the loss of an
  // undecided pair), with the alpha that would make it a tenth. Otherwise "".
  std::string Observe(const std::map<std::string, double>& step);

 private:
  MethodSection method_;
  bool said_ = false;
};

}  // namespace fpo::train
