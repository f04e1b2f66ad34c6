#include "train/objective/objective.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/support/tiny_run.h"
#include "train/formats/sae_files.h"
#include "train/objective/objective_parts.h"
#include "train/reference/online_reference.h"

namespace fpo::train {
namespace {

class ObjectiveTest : public ::testing::Test {
 protected:
  ObjectiveTest() {
    tiny_.WriteModel("reference", 2);
    policy_ =
        std::make_unique<LoadedModel>(*LoadModel({tiny_.Path("model"), "float32", at::kCPU, true}));
    const auto other = LoadModel({tiny_.Path("reference"), "float32"});
    const LoadedSae sae = *LoadSae({tiny_.Path("sae"), {}, ""}, policy_->model.config(), at::kCPU);
    reference_ = std::make_unique<OnlineReference>(other->model, std::vector<LoadedSae>{sae});
    options_.preference.beta = 2;
    options_.constraint.top_k = 8;
    options_.saes = {sae};
  }
  GlobalBatch WholeBatch() const {
    GlobalBatch global;
    for (const TokenPair& pair : pairs_) {
      global.pairs += 1;
      global.chosen_tokens += static_cast<double>(pair.chosen.size());
    }
    return global;
  }
  ObjectivePart Compute() {
    const Objective objective(policy_->model, options_, reference_.get());
    auto part = objective.Compute(Views(pairs_), WholeBatch());
    EXPECT_TRUE(part.ok()) << part.status();
    return *std::move(part);
  }
  // Gradient of the layer below the SAE's site.
  at::Tensor Gradient() {
    for (const auto& [name, tensor] : policy_->model.Parameters()) {
      tensor.mutable_grad() = at::Tensor();
    }
    Compute().loss.backward();
    return policy_->model.Parameters()[3].second.grad().clone();
  }
  const TinyRun tiny_;
  const std::vector<TokenPair> pairs_ = RandomPairs(5, 31);
  std::unique_ptr<LoadedModel> policy_;
  std::unique_ptr<OnlineReference> reference_;
  ObjectiveOptions options_;
};

// Encoding only the reference's columns is the same as encoding all of them.
TEST_F(ObjectiveTest, ReferenceSelectionEqualsTheDenseWay) {
  options_.constraint.selection = FeatureSelection::kReference;
  const ObjectivePart part = Compute();
  const at::NoGradGuard no_grad;
  const std::vector<Sequence> sequences = BothSides(Views(pairs_));
  const auto batch = MakeSequenceBatch(sequences, at::kCPU);
  ScoringOptions scoring;
  scoring.taps = {options_.saes[0].tap};
  const ResponseScores scores = ScoreSequences(policy_->model, *batch, scoring);
  const at::Tensor policy = options_.saes[0].sae.PooledFeatures(
      {scores.site_rows[0], batch->response_of_row, batch->sequences});
  const auto reference = reference_->Values(sequences, ReferenceDetail::kSums);
  const at::Tensor distance = FeatureDistance(policy, reference->pooled[0], options_.constraint);
  const double rejected = distance.narrow(0, 5, 5).sum().item<double>();
  EXPECT_NEAR(part.metrics.preference.sums[PreferenceMetrics::kDivergenceRejected], rejected, 1e-4);
}

TEST_F(ObjectiveTest, ConstraintPullsOnlyWithAlpha) {
  const at::Tensor with = Gradient();
  options_.preference.alpha = 0;
  const at::Tensor without = Gradient();
  options_.preference.method = Method::kLnDpo;
  options_.saes.clear();
  const at::Tensor plain = Gradient();
  EXPECT_FALSE(at::allclose(with, without));
  EXPECT_TRUE(at::equal(without, plain));
}

TEST_F(ObjectiveTest, StopGradientKeepsTheValue) {
  options_.preference.alpha = 3;
  const double loss = Compute().loss.item<double>();
  const at::Tensor stopped = Gradient();
  options_.preference.stop_gradient = false;
  EXPECT_DOUBLE_EQ(Compute().loss.item<double>(), loss);
  EXPECT_FALSE(at::allclose(stopped, Gradient()));
}

// The SAE is frozen: only the policy's parameters ever get gradients.
TEST_F(ObjectiveTest, GradientReachesThePolicyOnly) {
  Gradient();
  for (const auto& [name, tensor] : policy_->model.Parameters()) {
    EXPECT_TRUE(tensor.grad().defined()) << name;
  }
}

TEST_F(ObjectiveTest, KlIsSummedFromTheWholeDistributions) {
  options_.preference.method = Method::kTdpo1;
  options_.saes.clear();
  const ObjectivePart part = Compute();
  const at::NoGradGuard no_grad;
  const auto other = LoadModel({tiny_.Path("reference"), "float32"});
  double expected = 0;
  for (const Sequence& sequence : BothSides(Views(pairs_))) {
    std::vector<int64_t> ids(sequence.prompt.begin(), sequence.prompt.end());
    ids.insert(ids.end(), sequence.response.begin(), sequence.response.end());
    const auto log_probs = [&](const Gemma& model) {
      const at::Tensor hidden = model.Forward(at::tensor(ids).unsqueeze(0), {}).hidden[0];
      const double cap = *model.config().final_softcap;
      return at::log_softmax((hidden.mm(model.head().t()) / cap).tanh() * cap, -1);
    };
    const at::Tensor ref = log_probs(other->model), own = log_probs(policy_->model);
    const at::Tensor rows = (ref.exp() * (ref - own)).sum(-1);
    const int64_t first = static_cast<int64_t>(sequence.prompt.size()) - 1;
    expected +=
        rows.narrow(0, first, static_cast<int64_t>(sequence.response.size())).sum().item<double>();
  }
  const BatchMetrics& metrics = part.metrics;
  const double kl = metrics[BatchMetrics::kKlChosen] + metrics[BatchMetrics::kKlRejected];
  EXPECT_NEAR(kl, expected, 1e-4 * expected);
  const auto& sums = metrics.preference.sums;
  EXPECT_NEAR(sums[PreferenceMetrics::kDivergenceChosen], metrics[BatchMetrics::kKlChosen], 1e-9);
}

// Metrics are free: a step whose loss has no KL computes none, an evaluation does.
TEST_F(ObjectiveTest, OnlyEvaluationsMeasureTheKlOfOtherMethods) {
  EXPECT_EQ(Compute().metrics[BatchMetrics::kKlParts], 0);
  const at::NoGradGuard no_grad;
  const BatchMetrics metrics = Compute().metrics;
  EXPECT_EQ(metrics[BatchMetrics::kKlParts], 1);
  EXPECT_GT(metrics[BatchMetrics::kKlMargin], 0);
  EXPECT_GT(metrics[BatchMetrics::kEntropyTop], 0);
}

// Encoded here by hand: a code is x W + b where that is above its threshold.
TEST_F(ObjectiveTest, ContractsMeasureTheMeansOfTheirFeatures) {
  ConstraintSection section;
  section.sets.resize(1);
  section.sets[0].name = "some";
  section.sets[0].features = {3, 7, 20};
  section.sets[0].side = "rejected";
  options_.contracts = *MakeContracts(section, {32}, at::kCPU);
  const at::NoGradGuard no_grad;
  const ContractSums measured = Compute().contracts;
  const auto arrays = LoadSaeFile(tiny_.Path("sae/params.npz"), {}, "");
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  const auto batch = MakeSequenceBatch(BothSides(Views(pairs_)), at::kCPU);
  ScoringOptions scoring;
  scoring.taps = {options_.saes[0].tap};
  const auto other = LoadModel({tiny_.Path("reference"), "float32"});
  const auto means = [&](const Gemma& model) {
    const at::Tensor x = ScoreSequences(model, *batch, scoring).site_rows[0];
    const at::Tensor pre = x.mm(arrays->w_enc) + arrays->b_enc;
    const at::Tensor codes = at::where(pre.gt(arrays->threshold), pre.clamp_min(0), 0.0);
    std::vector<double> mean(3, 0);
    for (int64_t response = 5; response < 10; ++response) {
      const at::Tensor own = codes.index({batch->response_of_row.eq(response)});
      for (size_t i = 0; i < 3; ++i) {
        mean[i] += own.select(1, section.sets[0].features[i]).mean().item<double>() / 5;
      }
    }
    return mean;
  };
  const std::vector<double> policy = means(policy_->model), reference = means(other->model);
  double moved = 0, activation = 0;
  for (size_t i = 0; i < 3; ++i) {
    moved += std::abs(policy[i] - reference[i]);
    activation += std::abs(reference[i]);
  }
  const auto results = measured.Results(options_.contracts);
  ASSERT_TRUE(results.ok()) << results.status();
  ASSERT_GT(moved, 0);
  EXPECT_NEAR((*results)[0].change, moved / activation, 1e-5 * moved / activation);
}

TEST_F(ObjectiveTest, OnlyEvaluationsMeasureContracts) {
  ConstraintSection section;
  section.sets.resize(1);
  section.sets[0].features = {1};
  options_.contracts = *MakeContracts(section, {32}, at::kCPU);
  EXPECT_TRUE(Compute().contracts.packed()->empty());
}

// The multiplier of a budget pulls on both sides, and not at all at 0.
TEST_F(ObjectiveTest, ABudgetsPenaltyReachesThePolicy) {
  options_.preference.budget = true;
  options_.preference.stop_gradient = false;
  options_.preference.alpha = 0;
  const at::Tensor none = Gradient();
  options_.preference.alpha = 2;
  const at::Tensor held = Gradient();
  options_.preference.alpha = 4;
  const at::Tensor twice = Gradient();
  EXPECT_FALSE(at::allclose(held, none));
  EXPECT_TRUE(at::allclose(twice - held, held - none, 1e-3, 1e-5)) << "linear in alpha";
  options_.preference.method = Method::kLnDpo;
  options_.preference.budget = false;
  options_.saes.clear();
  EXPECT_TRUE(at::equal(none, Gradient()));
}

TEST_F(ObjectiveTest, WeightsScaleTheDistance) {
  const auto rejected = [this] {
    return Compute().metrics.preference.sums[PreferenceMetrics::kDivergenceRejected];
  };
  for (const FeatureSelection selection :
       {FeatureSelection::kUnion, FeatureSelection::kReference}) {
    options_.constraint.selection = selection;
    options_.constraint.weights = at::Tensor();
    const double plain = rejected();
    options_.constraint.weights = at::full({32}, 3.0f);
    EXPECT_NEAR(rejected(), 3 * plain, 1e-5 * plain);
    options_.constraint.weights = at::zeros({32});
    EXPECT_EQ(rejected(), 0);
  }
}

// A longer pair in the same batch pads the others and must not change them.
TEST_F(ObjectiveTest, PaddingChangesNothing) {
  const Objective objective(policy_->model, options_, reference_.get());
  const std::vector<TokenPairView> views = Views(pairs_);
  BatchMetrics apart;
  for (const TokenPairView& view : views) {
    apart += objective.Compute({view}, WholeBatch())->metrics;
  }
  const auto together = Compute().metrics.Report({Method::kFpo});
  const auto sum = apart.Report({Method::kFpo});
  ASSERT_EQ(sum.size(), together.size());
  for (const auto& [name, value] : sum) EXPECT_NEAR(value, together.at(name), 1e-4) << name;
}

}  // namespace
}  // namespace fpo::train
