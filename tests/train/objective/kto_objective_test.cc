// Objective::ComputeKto and its KL.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "tests/train/support/tiny_run.h"
#include "train/objective/objective.h"
#include "train/reference/online_reference.h"

namespace fpo::train {
namespace {

class KtoObjectiveTest : public ::testing::Test {
 protected:
  KtoObjectiveTest() {
    tiny_.WriteModel("reference", 2);
    reference_model_ = LoadModel({tiny_.Path("reference"), "float32"})->model;
    reference_ = std::make_unique<OnlineReference>(*reference_model_, std::vector<LoadedSae>());
    options_.preference.method = Method::kKto;
    options_.preference.beta = 0.05;
    options_.preference.desirable_weight = 1.5;
    examples_ = Views(pairs_);
    for (size_t i = 0; i < examples_.size(); ++i) examples_[i].desirable = i % 2 == 0;
  }
  Objective MakeObjective() const { return {policy_.model, options_, reference_.get()}; }

  // Sum of log-probs of a response, from a forward pass of one sequence.
  static double LogProb(const Gemma& model, absl::Span<const int32_t> prompt,
                        absl::Span<const int32_t> response) {
    const at::NoGradGuard no_grad;
    std::vector<int64_t> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), response.begin(), response.end());
    const at::Tensor hidden = model.Forward(at::tensor(ids).unsqueeze(0), {}).hidden[0];
    const double cap = *model.config().final_softcap;
    const at::Tensor logp = at::log_softmax((hidden.mm(model.head().t()) / cap).tanh() * cap, -1);
    double sum = 0;
    for (size_t i = 0; i < response.size(); ++i) {
      sum += logp[static_cast<int64_t>(prompt.size() + i) - 1][response[i]].item<double>();
    }
    return sum;
  }
  double LogRatio(absl::Span<const int32_t> prompt, absl::Span<const int32_t> response) const {
    return LogProb(policy_.model, prompt, response) - LogProb(*reference_model_, prompt, response);
  }

  const TinyRun tiny_;
  const std::vector<TokenPair> pairs_ = RandomPairs(4, 31);
  std::vector<TokenPairView> examples_;
  const LoadedModel policy_ = *LoadModel({tiny_.Path("model"), "float32", at::kCPU, true});
  std::optional<Gemma> reference_model_;
  std::unique_ptr<OnlineReference> reference_;
  ObjectiveOptions options_;
};

TEST_F(KtoObjectiveTest, TheKlIsThatOfTheMismatchedResponses) {
  double expected = 0;
  for (const TokenPairView& each : examples_) expected += LogRatio(each.prompt, each.rejected);
  const auto sum = MakeObjective().MismatchedLogRatios(examples_);
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_NEAR(*sum, expected, 1e-4);
  EXPECT_GT(std::abs(expected), 1e-2);
}

TEST_F(KtoObjectiveTest, LossAndMetricsAreTheExamplesOwn) {
  const GlobalBatch global{4, 0, 0.7};
  double loss = 0, desirable = 0;
  for (const TokenPairView& each : examples_) {
    const double ratio = LogRatio(each.prompt, each.chosen);
    const double gain = each.desirable ? ratio - 0.7 : 0.7 - ratio;
    loss += (each.desirable ? 1.5 : 1) * (1 - 1 / (1 + std::exp(-0.05 * gain)));
    if (each.desirable) desirable += 0.05 * ratio;
  }
  const auto part = MakeObjective().Compute(examples_, global);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_NEAR(part->loss_value, loss / 4, 1e-5);
  const auto report = part->metrics.Report(options_.preference);
  EXPECT_NEAR(report.at("loss"), loss / 4, 1e-5);
  EXPECT_NEAR(report.at("rewards/chosen"), desirable / 2, 1e-5);
  EXPECT_DOUBLE_EQ(report.at("kl"), 0.7);
  EXPECT_EQ(report.count("rewards/accuracies"), 0u);
}

// Of one label alone there is nothing to compare, and no zero in its place.
TEST_F(KtoObjectiveTest, AMissingLabelHasNoMetrics) {
  for (TokenPairView& each : examples_) each.desirable = false;
  const auto part = MakeObjective().Compute(examples_, {4});
  ASSERT_TRUE(part.ok()) << part.status();
  const auto report = part->metrics.Report(options_.preference);
  EXPECT_EQ(report.count("rewards/chosen"), 0u);
  EXPECT_EQ(report.count("rewards/margins"), 0u);
  EXPECT_EQ(report.count("rewards/rejected"), 1u);
}

TEST_F(KtoObjectiveTest, SharesAddUp) {
  const Objective objective = MakeObjective();
  const GlobalBatch global{4, 0, 0.3};
  const auto gradient = [&](const std::vector<std::vector<TokenPairView>>& parts) {
    std::vector<at::Tensor> sums;
    for (const auto& part : parts) {
      for (const auto& [name, tensor] : policy_.model.Parameters()) {
        tensor.mutable_grad() = at::Tensor();
      }
      objective.Compute(part, global)->loss.backward();
      for (size_t i = 0; i < policy_.model.Parameters().size(); ++i) {
        const at::Tensor grad = policy_.model.Parameters()[i].second.grad();
        if (i < sums.size()) {
          sums[i] += grad;
        } else {
          sums.push_back(grad.clone());
        }
      }
    }
    return sums;
  };
  const auto whole = gradient({examples_});
  const auto parts = gradient({{examples_[2]}, {examples_[0], examples_[3]}, {examples_[1]}});
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(at::allclose(whole[i], parts[i], 1e-4, 1e-7)) << i;
  }
}

}  // namespace
}  // namespace fpo::train
