#pragma once

#include <map>
#include <string>

#include "common/job/job_config.h"

namespace fpo::train {

// Watches whether the constraint of a method leaves anything of the preference: alpha does not
// transfer between models, layers and SAEs, and D may be larger than the margin by orders of
// magnitude.
class ConstraintScale {
 public:
  explicit ConstraintScale(const MethodSection& method) : method_(method) {}

  // The metrics of a step. Once a run: the warning, when alpha * beta * divergence/rejected is more
  // than ten times the larger of the reward margin and ln 2 (the loss of an undecided pair), with
  // the alpha that would make it a tenth. Else "".
  std::string Observe(const std::map<std::string, double>& step);

 private:
  MethodSection method_;
  bool said_ = false;
};

}  // namespace fpo::train
