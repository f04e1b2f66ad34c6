#include "train/objective/divergence_budget.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fpo::train {
namespace {

constexpr double kFast = 0.2;      // weight of a step in the average over about 5
constexpr double kSlow = 0.02;     // in that over about 50
constexpr double kNear = 0.5;      // share of the budget from which on there is a multiplier
constexpr double kGain = 1;        // of the proportional part
constexpr double kRateFactor = 2;  // rate = this / steps that the run took to come near
constexpr double kRateMin = 0.005, kRateMax = 0.1;
// Violations beyond are taken as these: a batch far above the budget must not throw lambda.
constexpr double kViolationMin = -1, kViolationMax = 4;
// Bounds of lambda in units of the first loss. At the lowest it is 0: the budget binds no more.
constexpr double kLambdaMin = 1e-4, kLambdaMax = 1e3;
constexpr double kHeld = 0.02;
constexpr double kFarBack = 0.8;  // of the distance: weights that are moved farther back lose much
constexpr char kTooLarge[] =
    "; the run ended before it settled, or its steps are too large for this budget: more steps, or "
    "a "
    "lower optimizer.lr";

double Clipped(double violation) { return std::clamp(violation, kViolationMin, kViolationMax); }

double Rate(const BudgetState& state) {
  return std::clamp(kRateFactor / static_cast<double>(state.near_step), kRateMin, kRateMax);
}

double Unit(const BudgetState& state) { return std::max(std::abs(state.first_loss), 1e-6); }

double Bounded(double log_lambda, const BudgetState& state) {
  return std::clamp(log_lambda, std::log(kLambdaMin * Unit(state)),
                    std::log(kLambdaMax * Unit(state)));
}

// Close to the start the loss falls linearly and D grows quadratically with the distance, so that
// at the budget lambda is half of what the loss has fallen by until there.
double FirstLambda(const BudgetState& state) {
  const double fallen = state.first_loss - state.loss;
  const double at_budget = fallen / std::sqrt(state.share);
  return std::log(std::clamp(at_budget / 2, 1e-3 * Unit(state), Unit(state)));
}

}  // namespace

DivergenceBudget::DivergenceBudget(const ConstraintSection& constraint, const MethodSection& method)
    : budget_(constraint.budget), alpha_(method.alpha), beta_(method.beta) {}

double DivergenceBudget::Lambda(const BudgetState& state) const {
  if (state.near_step == 0) return 0;
  if (state.log_lambda <= Bounded(-INFINITY, state)) return 0;
  return std::exp(Bounded(state.log_lambda + kGain * Clipped(state.share - 1), state));
}

double DivergenceBudget::Alpha(const BudgetState& state) const {
  return active() ? Lambda(state) / (beta_ * *budget_) : alpha_;
}

void DivergenceBudget::Update(double share, double loss, BudgetState* state) const {
  BudgetState& s = *state;
  const double weight = s.steps == 0 ? 1 : kFast;
  if (s.steps == 0) s.first_loss = loss;
  ++s.steps;
  s.share += weight * (share - s.share);
  s.loss += weight * (loss - s.loss);
  if (s.near_step == 0) {
    if (s.share < kNear) return;
    s.near_step = s.steps;
    s.settled = s.share;
    s.log_lambda = FirstLambda(s);
    return;
  }
  // A plain mean until 50 steps have been seen.
  const auto seen = static_cast<double>(s.steps - s.near_step);
  s.settled += std::max(kSlow, 1 / seen) * (share - s.settled);
  s.log_lambda = Bounded(s.log_lambda + Rate(s) * Clipped(share - 1), s);
}

void DivergenceBudget::Observe(std::map<std::string, double>* step, BudgetState* state) const {
  if (!active()) return;
  const auto chosen = step->find("divergence/chosen"), rejected = step->find("divergence/rejected");
  const auto loss = step->find("loss");
  if (chosen == step->end() || rejected == step->end() || loss == step->end()) return;
  const double divergence = (chosen->second + rejected->second) / 2;
  const double alpha = Alpha(*state);
  Update(divergence / *budget_, loss->second, state);
  (*step)["constraint/alpha"] = alpha;
  (*step)["constraint/divergence"] = divergence;
  (*step)["constraint/violation"] = (state->near_step > 0 ? state->settled : state->share) - 1;
}

DivergenceBudget::Conclusion DivergenceBudget::Conclude(const BudgetState& state) const {
  if (state.near_step == 0) {
    return {absl::StrFormat("the budget was not reached: the divergence stayed at %.3g, and "
                            "constraint.budget is %g; alpha was 0 throughout",
                            state.share * *budget_, *budget_),
            true};
  }
  const bool held = state.settled - 1 <= kHeld;
  return {absl::StrCat(DescribeLastSteps(state), held ? "" : kTooLarge), held};
}

std::string DivergenceBudget::DescribeLastSteps(const BudgetState& state) const {
  return absl::StrFormat(
      "constraint.budget %g: the divergence of the last 50 steps is %.4g (%+.1f %%), alpha %.3g",
      *budget_, state.settled * *budget_, 100 * (state.settled - 1), Alpha(state));
}

DivergenceBudget::Conclusion DivergenceBudget::ConcludeLanded(const BudgetState& state,
                                                              const BudgetLanding& landing,
                                                              bool held_out) const {
  const auto percent = [&](double divergence) { return 100 * (divergence / *budget_ - 1); };
  std::string text = DescribeLastSteps(state);
  absl::StrAppendFormat(&text, "; that of the %s pairs %.4g (%+.1f %%)",
                        held_out ? "held-out" : "first training", landing.before,
                        percent(landing.before));
  if (landing.factor != 1) {
    absl::StrAppendFormat(&text, ", and now %.4g (%+.1f %%): the weights were moved %.2g %% %s",
                          landing.after, percent(landing.after), 100 * std::abs(landing.factor - 1),
                          landing.factor < 1 ? "of the way back to the reference"
                                             : "farther away from the reference");
  }
  const bool held = percent(landing.after) <= 100 * kHeld && landing.factor >= kFarBack;
  return {absl::StrCat(text, held ? "" : kTooLarge), held, landing.factor};
}

}  // namespace fpo::train
