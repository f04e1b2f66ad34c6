#include "train/objective/constraint_scale.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "common/job/method_table.h"

namespace fpo::train {
namespace {

double Value(const std::map<std::string, double>& step, const char* name) {
  const auto it = step.find(name);
  return it == step.end() ? 0 : it->second;
}

// Rounds to one digit: more would be false precision.
double Rounded(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)));
  return std::round(value / unit) * unit;
}

}  // namespace

std::string ConstraintScale::Observe(const std::map<std::string, double>& step) {
  if (said_ || !MethodReads(method_, "alpha")) return "";
  const double divergence = Value(step, "divergence/rejected");
  const double margin = std::abs(Value(step, "rewards/margins"));
  const double scale = std::max(std::log(2.0), margin);
  const double constraint = method_.alpha * method_.beta * divergence;
  if (!(constraint > 10 * scale) || !std::isfinite(constraint)) return "";
  said_ = true;
  return absl::StrFormat(
      "the constraint outweighs the preference: alpha * beta * divergence is %.3g (alpha %g, beta "
      "%g, "
      "divergence/rejected %.3g) beside a reward margin of %.2g; method.alpha %g would make it a "
      "tenth of the preference signal",
      constraint, method_.alpha, method_.beta, divergence, margin,
      Rounded(0.1 * scale / (method_.beta * divergence)));
}

}  // namespace fpo::train
