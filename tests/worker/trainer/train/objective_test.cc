#include "worker/trainer/train/objective.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/trainer/train/tiny_run.h"
#include "worker/trainer/train/online_reference.h"

namespace fpo::train {
namespace {

class ObjectiveTest : public testing::Test {
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
  ObjectivePart Compute() {
    const Objective objective(policy_->model, options_, reference_.get());
    auto part = objective.Compute(Views(pairs_), static_cast<double>(pairs_.size()));
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
  const auto reference = reference_->Values(sequences);
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

// A longer pair in the same batch pads the others and must not change them.
TEST_F(ObjectiveTest, PaddingChangesNothing) {
  const Objective objective(policy_->model, options_, reference_.get());
  const std::vector<TokenPairView> views = Views(pairs_);
  BatchMetrics apart;
  for (const TokenPairView& view : views) {
    apart += objective.Compute({view}, 5)->metrics;
  }
  const std::vector<double> together = Compute().metrics.Pack();
  const std::vector<double> sum = apart.Pack();
  for (size_t i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i], together[i], 2e-4) << i;
}

}  // namespace
}  // namespace fpo::train
