#include "train/loss/preference_loss.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "train/loss/budget_penalty.h"

namespace fpo::train {
namespace {

struct MethodRow {
  Method method;
  const char* name;
  bool reference;
  bool length_normalised;
  bool features;
  bool kl;
};

constexpr MethodRow kMethods[] = {
    {Method::kSft, "sft", false, false, false, false},
    {Method::kDpo, "dpo", true, false, false, false},
    {Method::kLnDpo, "ln_dpo", true, true, false, false},
    {Method::kSimpo, "simpo", false, true, false, false},
    {Method::kSimpoKl, "simpo_kl", false, true, false, true},
    {Method::kTdpo1, "tdpo1", true, false, false, true},
    {Method::kTdpo2, "tdpo2", true, false, false, true},
    {Method::kFpo, "fpo", true, true, true, false},
    {Method::kOrpo, "orpo", false, true, false, false},
    {Method::kKto, "kto", true, false, false, false},
};

const MethodRow& RowOf(Method method) {
  for (const MethodRow& row : kMethods) {
    if (row.method == method) return row;
  }
  TORCH_CHECK(false, "method ", static_cast<int>(method), " is not in the table");
}

bool HasDivergence(const MethodRow& row, const PreferenceOptions& options) {
  return row.kl || row.features || options.feature_constraint;
}

void CheckSide(const PreferenceOptions& options, const SideValues& side, int64_t pairs) {
  const MethodRow& row = RowOf(options.method);
  const auto check = [&](bool needed, const at::Tensor& value, const char* what) {
    if (!needed) return;
    TORCH_CHECK(value.defined(), row.name, " needs ", what, ", which is not given");
    TORCH_CHECK(value.dim() == 1 && value.size(0) == pairs, row.name, ": ", what, " has shape ",
                value.sizes(), " for ", pairs, " pairs");
  };
  check(true, side.logp, "log-probs of the policy");
  check(row.length_normalised, side.tokens, "token counts");
  check(row.reference, side.reference_logp, "log-probs of the reference");
  check(HasDivergence(row, options), side.divergence, "divergences");
}

const MethodRow& CheckPairs(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const MethodRow& row = RowOf(options.method);
  const bool pairwise = options.method != Method::kSft && options.method != Method::kKto;
  TORCH_CHECK(pairwise, row.name, " has no pairs");
  TORCH_CHECK(pairs.chosen.logp.defined(), row.name, " needs log-probs of the policy");
  const int64_t count = pairs.chosen.logp.size(0);
  CheckSide(options, pairs.chosen, count);
  CheckSide(options, pairs.rejected, count);
  TORCH_CHECK(!pairs.weight.defined() || pairs.weight.numel() == count, row.name, ": ",
              pairs.weight.sizes(), " weights for ", count, " pairs");
  return row;
}

// beta * logp, per token for the length-normalised methods.
at::Tensor Scaled(const MethodRow& row, double beta, const at::Tensor& logp,
                  const at::Tensor& tokens) {
  return row.length_normalised ? logp * beta / tokens : logp * beta;
}

at::Tensor Constraint(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const at::Tensor &chosen = pairs.chosen.divergence, &rejected = pairs.rejected.divergence;
  if (options.budget) return at::zeros_like(pairs.chosen.logp);
  if (options.method == Method::kTdpo1) return (rejected - chosen) * options.beta;
  if (!HasDivergence(RowOf(options.method), options)) return at::zeros_like(pairs.chosen.logp);
  return (rejected - (options.stop_gradient ? chosen.detach() : chosen)) *
         (options.alpha * options.beta);
}

// log (p / (1 - p)), p = exp(mean log-prob). A mean of 0, which is a response whose every token
// rounds to probability 1, has no odds: it counts as the largest finite ones, without gradient.
at::Tensor LogOdds(const SideValues& side) {
  const at::Tensor mean = (side.logp / side.tokens).clamp_max(-1e-12);
  return mean - at::log(-at::expm1(mean));
}

}  // namespace

absl::StatusOr<Method> ParseMethod(absl::string_view name) {
  std::string names;
  for (const MethodRow& row : kMethods) {
    if (name == row.name) return row.method;
    absl::StrAppend(&names, names.empty() ? "" : ", ", row.name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("method.name is \"", name, "\"; allowed are ", names));
}

std::string MethodName(Method method) { return RowOf(method).name; }
bool NeedsReference(Method method) { return RowOf(method).reference; }
bool NeedsKl(Method method) { return RowOf(method).kl; }

int64_t SequencesPerPair(Method method) {
  return method == Method::kSft || method == Method::kKto ? 1 : 2;
}

bool NeedsFeatures(const PreferenceOptions& options) {
  return RowOf(options.method).features || options.feature_constraint;
}

double SftWeight(const PreferenceOptions& options) {
  return options.method == Method::kOrpo ? 1 : options.sft_weight;
}

PreferenceTerms ComputeTerms(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const MethodRow& row = CheckPairs(options, pairs);
  const auto difference = [&](const at::Tensor& chosen, const at::Tensor& rejected) {
    return Scaled(row, options.beta, chosen, pairs.chosen.tokens) -
           Scaled(row, options.beta, rejected, pairs.rejected.tokens);
  };
  PreferenceTerms terms;
  if (options.method == Method::kOrpo) {
    terms.lpd = terms.u = LogOdds(pairs.chosen) - LogOdds(pairs.rejected);
    terms.margin = terms.constraint = at::zeros_like(terms.lpd);
    return terms;
  }
  terms.lpd = difference(pairs.chosen.logp, pairs.rejected.logp);
  terms.margin = row.reference
                     ? difference(pairs.chosen.reference_logp, pairs.rejected.reference_logp)
                     : at::full_like(terms.lpd, options.gamma);
  terms.constraint = Constraint(options, pairs);
  terms.u = terms.lpd - terms.margin - terms.constraint;
  return terms;
}

PreferenceRewards ComputeRewards(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const MethodRow& row = CheckPairs(options, pairs);
  const auto reward = [&](const SideValues& side) {
    const at::Tensor logp = side.logp.detach();
    return Scaled(row, options.beta, row.reference ? logp - side.reference_logp : logp,
                  side.tokens);
  };
  return {reward(pairs.chosen), reward(pairs.rejected)};
}

at::Tensor PairLoss(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const at::Tensor u = ComputeTerms(options, pairs).u;
  if (options.method == Method::kOrpo) return LossOfMargin(u, {}) * options.beta;
  return LossOfMargin(u, {options.loss, options.beta, options.label_smoothing});
}

at::Tensor PreferenceLoss(const PreferenceOptions& options, const PreferencePairs& pairs,
                          const GlobalBatch& global) {
  TORCH_CHECK(global.pairs > 0, MethodName(options.method), ": global pair count ", global.pairs);
  // An invalid pair may contain NaN, which multiplying by 0 would keep.
  const auto weighted = [&](const at::Tensor& each) {
    const at::Tensor& weight = pairs.weight;
    return weight.defined() ? at::where(weight.eq(0), 0.0, each * weight) : each;
  };
  at::Tensor each = PairLoss(options, pairs);
  if (options.budget) each = each + BudgetPenalty(pairs, options.alpha * options.beta);
  const at::Tensor loss = weighted(each).sum() / global.pairs;
  const double sft = SftWeight(options);
  if (sft == 0) return loss;
  return loss + SftLoss(weighted(pairs.chosen.logp), global.chosen_tokens) * sft;
}

at::Tensor SftLoss(const at::Tensor& logp, double global_tokens) {
  TORCH_CHECK(global_tokens > 0, "SFT loss: global token count ", global_tokens);
  return logp.sum() / -global_tokens;
}

}  // namespace fpo::train
