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
};

const MethodRow& RowOf(Method method) {
  for (const MethodRow& row : kMethods) {
    if (row.method == method) return row;
  }
  TORCH_CHECK(false, "method ", static_cast<int>(method), " is not in the table");
}

void CheckSide(const MethodRow& row, const SideValues& side, int64_t pairs) {
  const auto check = [&](bool needed, const at::Tensor& value, const char* what) {
    if (!needed) return;
    TORCH_CHECK(value.defined(), row.name, " needs ", what, ", which is not given");
    TORCH_CHECK(value.dim() == 1 && value.size(0) == pairs, row.name, ": ", what, " has shape ",
                value.sizes(), " for ", pairs, " pairs");
  };
  check(true, side.logp, "log-probs of the policy");
  check(row.length_normalised, side.tokens, "token counts");
  check(row.reference, side.reference_logp, "log-probs of the reference");
  check(row.features || row.kl, side.divergence, "divergences");
}

const MethodRow& CheckPairs(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const MethodRow& row = RowOf(options.method);
  TORCH_CHECK(options.method != Method::kSft, "sft has no pairs");
  TORCH_CHECK(pairs.chosen.logp.defined(), row.name, " needs log-probs of the policy");
  const int64_t count = pairs.chosen.logp.size(0);
  CheckSide(row, pairs.chosen, count);
  CheckSide(row, pairs.rejected, count);
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
  switch (options.method) {
    case Method::kTdpo1:
      return (rejected - chosen) * options.beta;
    case Method::kTdpo2:
    case Method::kSimpoKl:
    case Method::kFpo:
      return (rejected - (options.stop_gradient ? chosen.detach() : chosen)) *
             (options.alpha * options.beta);
    default:
      return at::zeros_like(pairs.chosen.logp);
  }
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
bool NeedsFeatures(Method method) { return RowOf(method).features; }
bool NeedsKl(Method method) { return RowOf(method).kl; }

PreferenceTerms ComputeTerms(const PreferenceOptions& options, const PreferencePairs& pairs) {
  const MethodRow& row = CheckPairs(options, pairs);
  const auto difference = [&](const at::Tensor& chosen, const at::Tensor& rejected) {
    return Scaled(row, options.beta, chosen, pairs.chosen.tokens) -
           Scaled(row, options.beta, rejected, pairs.rejected.tokens);
  };
  PreferenceTerms terms;
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

at::Tensor PairLoss(const at::Tensor& u, double label_smoothing) {
  const at::Tensor loss = at::log_sigmoid(u) * (label_smoothing - 1);
  return label_smoothing == 0 ? loss : loss - at::log_sigmoid(-u) * label_smoothing;
}

at::Tensor PreferenceLoss(const PreferenceOptions& options, const PreferencePairs& pairs,
                          double global_pairs) {
  TORCH_CHECK(global_pairs > 0, MethodName(options.method), ": global pair count ", global_pairs);
  at::Tensor loss = PairLoss(ComputeTerms(options, pairs).u, options.label_smoothing);
  if (options.budget) loss = loss + BudgetPenalty(pairs, options.alpha * options.beta);
  // An invalid pair may contain NaN, which multiplying by 0 would keep.
  if (pairs.weight.defined()) loss = at::where(pairs.weight.eq(0), 0.0, loss * pairs.weight);
  return loss.sum() / global_pairs;
}

at::Tensor SftLoss(const at::Tensor& logp, double global_tokens) {
  TORCH_CHECK(global_tokens > 0, "sft: global token count ", global_tokens);
  return logp.sum() / -global_tokens;
}

}  // namespace fpo::train
