#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/job/job_config.h"
#include "train/objective/budget_landing.h"

namespace fpo::train {

// Where the multiplier of a budget stands after some steps; kept in checkpoints.
struct BudgetState {
  int64_t steps = 0;      // observed
  double first_loss = 0;  // of the first step
  double loss = 0;        // moving average over about 5 steps
  double share = 0;       // the same of divergence / budget
  double settled = 0;     // the same over about 50 steps, from near_step on
  int64_t near_step = 0;  // the step in which `share` first came near 1; 0: not yet
  double log_lambda = 0;  // ln of the multiplier's integral, in nats; from near_step on
  bool operator==(const BudgetState&) const = default;
};

// Holds the mean divergence at constraint.budget by a multiplier that is found while training:
//
//   min loss  subject to  D <= d,  D = mean over pairs of (D_chosen + D_rejected) / 2
//   L = loss + lambda (D / d - 1),   alpha = lambda / (beta d)
//
// lambda, in nats, rises and falls with the relative violation v = D / d - 1 of each step's batch:
//
//   ln integral += rate v,   ln lambda = ln integral + gain v_smoothed
//
// so that neither the divergence's scale nor the multiplier's matters; docs/methods.md derives the
// constants. The integral makes the mean of v over any N steps equal to the change of ln integral
// over rate N. Until the budget comes near lambda is 0. Pure functions of the observed steps: every
// rank, micro-batch size and resumed run has the same. Without a budget inactive.
class DivergenceBudget {
 public:
  DivergenceBudget(const ConstraintSection& constraint, const MethodSection& method);

  bool active() const { return budget_.has_value(); }
  // What the next step's objective takes: method.alpha when inactive.
  double Alpha(const BudgetState& state) const;
  // Takes the metrics of a step that used Alpha(*state), and adds "constraint/alpha",
  // "constraint/divergence" (D) and "constraint/violation" (v over about 50 steps).
  void Observe(std::map<std::string, double>* step, BudgetState* state) const;

  double budget() const { return budget_.value_or(0); }

  // How the run has ended, in a sentence.
  struct Conclusion {
    std::string text;
    bool held = false;  // the divergence is at most 2 % above the budget
    double moved = 1;   // the weights' distance from the reference was multiplied by this
  };
  // By the mean over about 50 steps.
  Conclusion Conclude(const BudgetState& state) const;
  // By the weights as they are after `landing`, measured on held-out or on training pairs.
  Conclusion ConcludeLanded(const BudgetState& state, const BudgetLanding& landing,
                            bool held_out) const;

 private:
  void Update(double share, double loss, BudgetState* state) const;
  double Lambda(const BudgetState& state) const;
  std::string DescribeLastSteps(const BudgetState& state) const;

  std::optional<double> budget_;
  double alpha_, beta_;
};

}  // namespace fpo::train
