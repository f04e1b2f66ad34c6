#include "train/objective/budget_landing.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr double kNearEnough = 0.005;
constexpr int kMeasurements = 8;
constexpr double kMostOut = 1.1;                // of the distance that training left
constexpr double kPowerMin = 1, kPowerMax = 4;  // of the divergence in the distance
constexpr double kStepMin = 0.25;               // of the distance, at once

// The power with which the divergence went from `before` to `after`.
double PowerOf(double before, double after, double factor) {
  const double power = std::log(after / before) / std::log(factor);
  return std::isfinite(power) ? std::clamp(power, kPowerMin, kPowerMax) : 2;
}

}  // namespace

absl::StatusOr<BudgetLanding> LandOnBudget(double budget, bool binds,
                                           const LandingActions& actions) {
  BudgetLanding landing;
  FPO_ASSIGN_OR_RETURN(landing.before, actions.measure());
  landing.after = landing.before;
  double power = 2;
  for (int measured = 1; measured < kMeasurements; ++measured) {
    const double share = landing.after / budget;
    if (!std::isfinite(share) || std::abs(share - 1) <= kNearEnough) break;
    const bool stays_below = share < 1 && landing.factor == 1 && !binds;
    if (stays_below) break;
    double factor = std::max(std::pow(share, -1 / power), kStepMin);
    factor = std::min(factor, kMostOut / landing.factor);
    if (factor == 1) break;  // no farther
    FPO_RETURN_IF_ERROR(actions.scale(factor));
    landing.factor *= factor;
    const double before = landing.after;
    FPO_ASSIGN_OR_RETURN(landing.after, actions.measure());
    power = PowerOf(before, landing.after, factor);
  }
  return landing;
}

}  // namespace fpo::train
