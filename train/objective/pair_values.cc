#include "train/objective/pair_values.h"

#include <ATen/ATen.h>

#include <array>

namespace fpo::train {
namespace {

constexpr std::array<const char*, PairValues::kFieldCount> kNames = {
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "logps/chosen",
    "logps/rejected",
    "reference_logps/chosen",
    "reference_logps/rejected",
    "tokens/chosen",
    "tokens/rejected",
    "divergence/chosen",
    "divergence/rejected",
    "kl/chosen",
    "kl/rejected",
    "label",
    "reward",
};

}  // namespace

const char* PairValues::Name(Field field) { return kNames[field]; }

PairValues::PairValues(int64_t pairs)
    : pairs_(pairs), packed_(static_cast<size_t>(kFieldCount * (pairs + 1)), 0.0) {}

size_t PairValues::At(Field field, int64_t pair) const {
  return static_cast<size_t>(field * (pairs_ + 1) + pair);
}

size_t PairValues::Presence(Field field) const { return At(field, pairs_); }

std::optional<double> PairValues::Get(Field field, int64_t pair) const {
  if (packed_[Presence(field)] == 0) return std::nullopt;
  return packed_[At(field, pair)];
}

void PairValues::Set(Field field, int64_t pair, double value) {
  packed_[At(field, pair)] = value;
  packed_[Presence(field)] = 1;
}

void PairValues::SetAll(Field field, const at::Tensor& values, HostValues* host) {
  if (!values.defined()) return;
  host->Add(values.detach(), &packed_[At(field, 0)]);
  packed_[Presence(field)] = 1;
}

void PairValues::Copy(const PairValues& part, int64_t from, int64_t to) {
  for (int i = 0; i < kFieldCount; ++i) {
    const auto field = static_cast<Field>(i);
    if (const auto value = part.Get(field, from)) Set(field, to, *value);
  }
}

void PairValues::SetPairs(const PreferenceOptions& options, const PreferencePairs& pairs,
                          const at::Tensor& kl, HostValues* host) {
  const at::NoGradGuard no_grad;
  const int64_t count = pairs_;
  const auto set = [&](Field field, const at::Tensor& each) { SetAll(field, each, host); };
  const PreferenceRewards rewards = ComputeRewards(options, pairs);
  set(kLoss, PairLoss(options, pairs));
  set(kRewardsChosen, rewards.chosen);
  set(kRewardsRejected, rewards.rejected);
  set(kRewardsMargin, rewards.chosen.to(at::kDouble) - rewards.rejected.to(at::kDouble));
  set(kLogpsChosen, pairs.chosen.logp);
  set(kLogpsRejected, pairs.rejected.logp);
  set(kReferenceLogpsChosen, pairs.chosen.reference_logp);
  set(kReferenceLogpsRejected, pairs.rejected.reference_logp);
  set(kTokensChosen, pairs.chosen.tokens);
  set(kTokensRejected, pairs.rejected.tokens);
  set(kDivergenceChosen, pairs.chosen.divergence);
  set(kDivergenceRejected, pairs.rejected.divergence);
  if (kl.defined()) {
    set(kKlChosen, kl.narrow(0, 0, count));
    set(kKlRejected, kl.narrow(0, count, count));
  }
}

void PairValues::SetResponses(const at::Tensor& logp, const at::Tensor& tokens, HostValues* host) {
  const at::NoGradGuard no_grad;
  SetAll(kLoss, -logp.to(at::kDouble) / tokens.to(at::kDouble), host);
  SetAll(kLogpsChosen, logp, host);
  SetAll(kTokensChosen, tokens, host);
}

void PairValues::SetExamples(const KtoPart& part, const at::Tensor& tokens, HostValues* host) {
  const at::NoGradGuard no_grad;
  const KtoExamples& examples = part.examples;
  SetAll(kLoss, KtoLosses(part.options, examples, part.kl), host);
  SetAll(kLabel, examples.desirable, host);
  SetAll(kReward, KtoRewards(part.options, examples), host);
  SetAll(kLogpsChosen, examples.logp, host);
  SetAll(kReferenceLogpsChosen, examples.reference_logp, host);
  SetAll(kTokensChosen, tokens, host);
}

}  // namespace fpo::train
