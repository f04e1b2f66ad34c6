#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// How a finished run was put onto its budget.
struct BudgetLanding {
  double before = 0, after = 0;  // divergence of the pairs it was measured on
  double factor = 1;             // of the weights' distance from the reference
};

// What a landing is made of; both collective where the run is.
struct LandingActions {
  std::function<absl::StatusOr<double>()> measure;   // the divergence of the weights as they are
  std::function<absl::Status(double factor)> scale;  // multiplies their distance by this
};

// Moves the weights of a finished run along the line through the reference and the trained policy
// until their divergence is within half a percent of `budget`: close to the reference divergences
// grow with the square of the distance, farther away with a power that the measurements, at most
// eight, show. A divergence below the budget is left unless the budget `binds`, and the weights
// never go more than a tenth beyond where training left them. Errors are those of `actions`, which
// leave the weights where they are then.
absl::StatusOr<BudgetLanding> LandOnBudget(double budget, bool binds,
                                           const LandingActions& actions);

}  // namespace fpo::train
