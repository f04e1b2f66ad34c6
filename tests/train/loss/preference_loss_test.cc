#include "train/loss/preference_loss.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

constexpr int64_t kPairs = 6;
constexpr Method kPairwise[] = {Method::kDpo,   Method::kLnDpo, Method::kSimpo, Method::kSimpoKl,
                                Method::kTdpo1, Method::kTdpo2, Method::kFpo};

SideValues RandomSide() {
  return {-at::rand({kPairs}, at::kDouble) * 20, -at::rand({kPairs}, at::kDouble) * 20,
          at::randint(1, 12, {kPairs}, at::kLong), at::rand({kPairs}, at::kDouble)};
}

PreferencePairs RandomPairs() {
  at::manual_seed(6);
  return {RandomSide(), RandomSide(), {}};
}

PreferenceOptions Options(Method method) { return {method, 0.7, 0.9, 0.3, 0, true}; }

double Scalar(const at::Tensor& x) { return x.item<double>(); }

TEST(PreferenceLoss, FollowsTheFormulaByHand) {
  PreferencePairs pairs;
  const auto one = [](double value) { return at::full({1}, value, at::kDouble); };
  pairs.chosen = {one(-4), one(-5), one(2), one(0.5)};
  pairs.rejected = {one(-9), one(-6), one(3), one(0.8)};
  const auto u = [&](Method method) {
    return Scalar(ComputeTerms({method, 0.5, 0.4, 0.25, 0, true}, pairs).u);
  };
  EXPECT_NEAR(u(Method::kDpo), 0.5 * (-4 + 9) - 0.5 * (-5 + 6), 1e-15);
  EXPECT_NEAR(u(Method::kLnDpo), 0.5 * (-2 + 3) - 0.5 * (-2.5 + 2), 1e-15);
  EXPECT_NEAR(u(Method::kSimpo), 0.5 * (-2 + 3) - 0.25, 1e-15);  // gamma after beta
  EXPECT_NEAR(u(Method::kTdpo1), 2.0 - 0.5 * (0.8 - 0.5), 1e-15);
  EXPECT_NEAR(u(Method::kTdpo2), 2.0 - 0.4 * 0.5 * (0.8 - 0.5), 1e-15);
  EXPECT_NEAR(u(Method::kSimpoKl), 0.25 - 0.4 * 0.5 * (0.8 - 0.5), 1e-15);
  EXPECT_NEAR(u(Method::kFpo), 0.75 - 0.4 * 0.5 * (0.8 - 0.5), 1e-15);
}

TEST(PreferenceLoss, IsLnTwoWhenThePolicyIsTheReference) {
  PreferencePairs pairs = RandomPairs();
  for (SideValues* side : {&pairs.chosen, &pairs.rejected}) {
    side->reference_logp = side->logp;
    side->divergence = at::zeros({kPairs}, at::kDouble);
  }
  for (const Method method : kPairwise) {
    if (!NeedsReference(method)) continue;
    for (const double smoothing : {0.0, 0.2}) {
      PreferenceOptions options = Options(method);
      options.label_smoothing = smoothing;
      EXPECT_NEAR(Scalar(PreferenceLoss(options, pairs, {kPairs})), std::log(2.0), 1e-15)
          << MethodName(method);
    }
  }
}

TEST(PreferenceLoss, FpoWithoutAlphaIsLengthNormalisedDpo) {
  const PreferencePairs pairs = RandomPairs();
  PreferenceOptions fpo = Options(Method::kFpo);
  fpo.alpha = 0;
  EXPECT_DOUBLE_EQ(Scalar(PreferenceLoss(fpo, pairs, {kPairs})),
                   Scalar(PreferenceLoss(Options(Method::kLnDpo), pairs, {kPairs})));
}

// The table of gradients of the method document, for every method, smoothing and stop-gradient.
TEST(PreferenceLoss, HasTheStatedGradients) {
  for (const Method method : kPairwise) {
    for (const double smoothing : {0.0, 0.1}) {
      for (const bool stop : {true, false}) {
        PreferencePairs pairs = RandomPairs();
        pairs.weight = at::tensor({1.0, 1.0, 0.0, 2.0, 1.0, 1.0}, at::kDouble);
        PreferenceOptions o = Options(method);
        o.label_smoothing = smoothing;
        o.stop_gradient = stop;
        const std::vector<at::Tensor> inputs = {pairs.chosen.logp, pairs.rejected.logp,
                                                pairs.chosen.divergence, pairs.rejected.divergence};
        for (const at::Tensor& input : inputs) input.set_requires_grad(true);
        const double count = 6;
        const auto grads = torch::autograd::grad({PreferenceLoss(o, pairs, {count})}, inputs, {},
                                                 false, false, /*allow_unused=*/true);
        const at::Tensor u = ComputeTerms(o, pairs).u.detach();
        const at::Tensor g = pairs.weight / count * (u.sigmoid() - (1 - smoothing));
        const bool simpo = method == Method::kSimpo || method == Method::kSimpoKl;
        const bool per_token = method == Method::kLnDpo || simpo || method == Method::kFpo;
        const auto scale = [&](const SideValues& side) {
          return per_token ? o.beta / side.tokens.to(at::kDouble)
                           : at::full({kPairs}, o.beta, at::kDouble);
        };
        const bool scaled =
            method == Method::kTdpo2 || method == Method::kSimpoKl || method == Method::kFpo;
        const double factor = method == Method::kTdpo1 ? o.beta : scaled ? o.alpha * o.beta : 0;
        const bool through_chosen = method == Method::kTdpo1 || (scaled && !stop);
        const at::Tensor expected[] = {g * scale(pairs.chosen), -g * scale(pairs.rejected),
                                       g * (through_chosen ? factor : 0.0), -g * factor};
        for (size_t i = 0; i < inputs.size(); ++i) {
          const at::Tensor grad = grads[i].defined() ? grads[i] : at::zeros_like(g);
          EXPECT_LT(RelativeError(grad, expected[i]), 1e-14)
              << MethodName(method) << " smoothing " << smoothing << " stop " << stop << " " << i;
        }
      }
    }
  }
}

TEST(PreferenceLoss, SharesAddUpToTheBatch) {
  const PreferencePairs pairs = RandomPairs();
  const auto part = [&](int64_t first, int64_t count) {
    const auto cut = [&](const SideValues& side) {
      return SideValues{
          side.logp.narrow(0, first, count), side.reference_logp.narrow(0, first, count),
          side.tokens.narrow(0, first, count), side.divergence.narrow(0, first, count)};
    };
    return PreferencePairs{cut(pairs.chosen), cut(pairs.rejected), {}};
  };
  const PreferenceOptions fpo = Options(Method::kFpo);
  const double whole = Scalar(PreferenceLoss(fpo, pairs, {kPairs}));
  EXPECT_NEAR(whole,
              Scalar(PreferenceLoss(fpo, part(0, 1), {kPairs})) +
                  Scalar(PreferenceLoss(fpo, part(1, 5), {kPairs})),
              1e-15);
}

TEST(PreferenceLoss, AnInvalidPairCannotPoisonTheSum) {
  PreferencePairs pairs = RandomPairs();
  pairs.chosen.logp[2] = std::numeric_limits<double>::quiet_NaN();
  pairs.weight = at::tensor({1.0, 1.0, 0.0, 1.0, 1.0, 1.0}, at::kDouble);
  EXPECT_TRUE(std::isfinite(Scalar(PreferenceLoss(Options(Method::kDpo), pairs, {5}))));
}

// The other method's margin, and fpo's constraint.
TEST(PreferenceLoss, TheFeatureConstraintFitsEveryMargin) {
  const PreferencePairs pairs = RandomPairs();
  const at::Tensor constraint = (pairs.rejected.divergence - pairs.chosen.divergence) * (0.9 * 0.7);
  for (const Method method : {Method::kDpo, Method::kLnDpo, Method::kSimpo}) {
    PreferenceOptions options = Options(method);
    EXPECT_FALSE(NeedsFeatures(options));
    const at::Tensor plain = ComputeTerms(options, pairs).u;
    options.feature_constraint = true;
    EXPECT_TRUE(NeedsFeatures(options));
    EXPECT_LT(RelativeError(ComputeTerms(options, pairs).u, plain - constraint), 1e-15);
    pairs.chosen.divergence.set_requires_grad(true);
    pairs.rejected.divergence.set_requires_grad(true);
    const auto grads = torch::autograd::grad({PreferenceLoss(options, pairs, {kPairs})},
                                             {pairs.chosen.divergence, pairs.rejected.divergence},
                                             {}, false, false, /*allow_unused=*/true);
    EXPECT_FALSE(grads[0].defined());
    const at::Tensor g = (ComputeTerms(options, pairs).u.detach().sigmoid() - 1) / kPairs;
    EXPECT_LT(RelativeError(grads[1], -g * (0.9 * 0.7)), 1e-14);
  }
  PreferenceOptions ln_dpo = Options(Method::kLnDpo);
  ln_dpo.feature_constraint = true;
  EXPECT_EQ(Scalar(PreferenceLoss(ln_dpo, pairs, {kPairs})),
            Scalar(PreferenceLoss(Options(Method::kFpo), pairs, {kPairs})));
}

// Its mean is over the tokens of the whole batch, so that parts of any sizes add up.
TEST(PreferenceLoss, TheSftTermIsTheSftLossOfTheChosenSides) {
  const PreferencePairs pairs = RandomPairs();
  const double tokens = Scalar(pairs.chosen.tokens.sum().to(at::kDouble));
  PreferenceOptions options = Options(Method::kDpo);
  const double plain = Scalar(PreferenceLoss(options, pairs, {kPairs}));
  options.sft_weight = 0.3;
  EXPECT_NEAR(Scalar(PreferenceLoss(options, pairs, {kPairs, tokens})),
              plain + 0.3 * Scalar(SftLoss(pairs.chosen.logp, tokens)), 1e-14);
  pairs.chosen.logp.set_requires_grad(true);
  const auto grads = torch::autograd::grad({PreferenceLoss(options, pairs, {kPairs, tokens}) - 0.0},
                                           {pairs.chosen.logp});
  const at::Tensor g = (ComputeTerms(options, pairs).u.detach().sigmoid() - 1) / kPairs;
  EXPECT_LT(RelativeError(grads[0], g * 0.7 - 0.3 / tokens), 1e-14);
  EXPECT_THROW(PreferenceLoss(options, pairs, {kPairs}), c10::Error) << "tokens not counted";
}

TEST(PreferenceLoss, OrpoByHand) {
  PreferencePairs pairs;
  const auto one = [](double value) { return at::full({1}, value, at::kDouble); };
  pairs.chosen = {one(-1), {}, one(2), {}};
  pairs.rejected = {one(-6), {}, one(3), {}};
  const PreferenceOptions orpo = {Method::kOrpo, 0.5, 0, 0, 0, true};
  const auto odds = [](double p) { return p / (1 - p); };
  const double ratio = odds(std::exp(-0.5)) / odds(std::exp(-2.0));
  EXPECT_NEAR(Scalar(ComputeTerms(orpo, pairs).u), std::log(ratio), 1e-14);
  EXPECT_NEAR(Scalar(PairLoss(orpo, pairs)), 0.5 * std::log1p(1 / ratio), 1e-14);
  EXPECT_NEAR(Scalar(PreferenceLoss(orpo, pairs, {1, 2})), 0.5 * std::log1p(1 / ratio) + 0.5,
              1e-14);
}

// The whole loss, of every method, loss and term.
TEST(PreferenceLoss, GradientsAreThoseOfFiniteDifferences) {
  const PreferencePairs pairs = RandomPairs();
  const double tokens = Scalar(pairs.chosen.tokens.sum().to(at::kDouble));
  std::vector<PreferenceOptions> cases = {Options(Method::kOrpo)};
  for (const PairLossKind loss : {PairLossKind::kHinge, PairLossKind::kRobust}) {
    PreferenceOptions& dpo = cases.emplace_back(Options(Method::kDpo));
    dpo.loss = loss;
    dpo.label_smoothing = loss == PairLossKind::kRobust ? 0.1 : 0;
    dpo.feature_constraint = true;
    dpo.sft_weight = 0.4;
  }
  cases.emplace_back(Options(Method::kFpo)).loss = PairLossKind::kIpo;
  for (PreferenceOptions& options : cases) {
    options.stop_gradient = false;
    ExpectGradientsMatchDifferences(
        [&](const std::vector<at::Tensor>& in) {
          PreferencePairs changed = pairs;
          changed.chosen.logp = in[0];
          changed.rejected.logp = in[1];
          changed.chosen.divergence = in[2];
          changed.rejected.divergence = in[3];
          const at::Tensor unused = (in[2] + in[3]).sum() * 0;
          return PreferenceLoss(options, changed, {kPairs, tokens}) + unused;
        },
        {pairs.chosen.logp.clone(), pairs.rejected.logp.clone(), pairs.chosen.divergence.clone(),
         pairs.rejected.divergence.clone()});
  }
}

// Every token rounded to probability 1: odds without a bound, and still numbers.
TEST(PreferenceLoss, OrpoOfACertainResponseIsFinite) {
  PreferencePairs pairs;
  const auto one = [](double value) { return at::full({1}, value, at::kDouble); };
  for (const bool chosen : {true, false}) {
    pairs.chosen = {one(chosen ? 0 : -3), {}, one(2), {}};
    pairs.rejected = {one(chosen ? -3 : 0), {}, one(3), {}};
    pairs.chosen.logp.set_requires_grad(true);
    pairs.rejected.logp.set_requires_grad(true);
    const at::Tensor loss = PreferenceLoss(Options(Method::kOrpo), pairs, {1, 2});
    const auto grads = torch::autograd::grad({loss}, {pairs.chosen.logp, pairs.rejected.logp});
    EXPECT_TRUE(std::isfinite(Scalar(loss)));
    for (const at::Tensor& grad : grads) EXPECT_TRUE(std::isfinite(Scalar(grad)));
  }
}

TEST(SftLoss, IsTheTokenMean) {
  const at::Tensor logp = at::tensor({-3.0, -6.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(Scalar(SftLoss(logp, 4.5)), 2);
}

TEST(ComputeTerms, SaysWhatIsMissing) {
  PreferencePairs pairs = RandomPairs();
  pairs.rejected.divergence.reset();
  try {
    ComputeTerms(Options(Method::kFpo), pairs);
    FAIL() << "accepted a pair without divergences";
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("fpo needs divergences"), std::string::npos);
  }
  EXPECT_NO_THROW(ComputeTerms(Options(Method::kLnDpo), pairs));
  pairs.chosen.reference_logp.reset();
  EXPECT_THROW(ComputeTerms(Options(Method::kLnDpo), pairs), c10::Error);
  EXPECT_NO_THROW(ComputeTerms(Options(Method::kSimpo), pairs));
  EXPECT_THROW(ComputeTerms(Options(Method::kSft), pairs), c10::Error);
}

TEST(Method, NamesAndNeeds) {
  for (const char* name :
       {"sft", "dpo", "ln_dpo", "simpo", "simpo_kl", "tdpo1", "tdpo2", "fpo", "orpo"}) {
    EXPECT_EQ(MethodName(*ParseMethod(name)), name);
  }
  EXPECT_NE(ParseMethod("ipo").status().message().find("allowed are sft, dpo"), std::string::npos);
  EXPECT_FALSE(NeedsReference(Method::kSimpo));
  EXPECT_TRUE(NeedsReference(Method::kFpo));
  EXPECT_FALSE(NeedsReference(Method::kOrpo));
  EXPECT_TRUE(NeedsFeatures({Method::kFpo}));
  EXPECT_FALSE(NeedsFeatures({Method::kLnDpo}));
  EXPECT_TRUE(NeedsKl(Method::kTdpo2));
}

}  // namespace
}  // namespace fpo::train
