// The trainer's layers together against numbers of an independent float64 implementation
// (make_goldens.py), which itself agrees with transformers.

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/golden/golden_case.h"
#include "tests/train/ops/finite_difference.h"
#include "train/device.h"
#include "train/optim/gradient_buffer.h"
#include "train/optim/optimizer.h"

namespace fpo::train {
namespace {

constexpr double kGradientTolerance = 1e-4;

// Architecture and device: the same tests run on a GPU where there is one.
class GoldenTest : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    const auto device = ChooseDevice(std::get<1>(GetParam()));
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    device_ = device->device;
    at::globalContext().setAllowTF32CuBLAS(false);
    case_ = std::make_unique<GoldenCase>(std::get<0>(GetParam()), device_);
  }
  const GoldenCase& golden() const { return *case_; }
  at::Device device_ = at::kCPU;

 private:
  std::unique_ptr<GoldenCase> case_;
};

double LargestRelative(const at::Tensor& ours, const at::Tensor& expected) {
  return ((ours.detach().cpu() - expected) / expected).abs().max().item<double>();
}

// Norm and two fixed projections of each gradient, as make_goldens.py stores them: [tensors, 3].
at::Tensor Fingerprints(const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor> rows;
  for (const at::Tensor& gradient : gradients) {
    const at::Tensor flat = gradient.flatten().cpu().to(at::kDouble);
    const at::Tensor i = at::arange(flat.numel(), at::kDouble);
    rows.push_back(at::stack({flat.norm(), flat.dot((i + 1).sin()), flat.dot((i * 2).cos())}));
  }
  return at::stack(rows);
}

std::vector<at::Tensor> GradientsOf(const Gemma& model, const at::Tensor& loss) {
  GradientBuffer buffer(model.Parameters());
  loss.backward();
  buffer.Collect();
  return buffer.gradients();
}

TEST_P(GoldenTest, ResponseLogProbs) {
  const Gemma model = golden().MakeModel();
  const at::Tensor logps = golden().Score(model, golden().Forward(model, {}).hidden, false).logp;
  EXPECT_LT(LargestRelative(logps, golden().Expected("logps")), 2e-5);
}

TEST_P(GoldenTest, SequentialKlAndTheReferencesLogProbs) {
  const Gemma model = golden().MakeModel();
  const auto sums = golden().Score(model, golden().Forward(model, {}).hidden, true);
  EXPECT_LT(LargestRelative(sums.kl, golden().Expected("kls")), 2e-5);
  EXPECT_LT(LargestRelative(sums.reference_logp, golden().Expected("reference.logps")), 2e-5);
}

TEST_P(GoldenTest, PooledFeaturesAtEverySite) {
  const Gemma model = golden().MakeModel();
  const struct {
    const char* name;
    Tap tap;
  } sites[] = {{"first_resid", {0, Site::kResidPost}},
               {"mlp_out", {1, Site::kMlpOut}},
               {"attn_z", {1, Site::kAttnZ}},
               {"last_resid", {2, Site::kResidPost}}};
  ForwardOptions options;
  for (const auto& site : sites) options.taps.push_back(site.tap);
  const ForwardResult result = golden().Forward(model, options);
  for (size_t i = 0; i < std::size(sites); ++i) {
    const SparseAutoencoder sae = golden().MakeSae(SiteWidth(model.config(), sites[i].tap.site));
    const at::Tensor ours = golden().Pooled(sae, result.sites[i]).cpu();
    const at::Tensor expected = golden().Expected(std::string("pooled.") + sites[i].name);
    EXPECT_TRUE(at::allclose(ours.to(at::kDouble), expected, 1e-5, 1e-4)) << sites[i].name;
    EXPECT_GT(expected.count_nonzero().item<int64_t>(), 20) << sites[i].name;
  }
  // The last layer's site is the block output, not the final entry of a stack of normed states.
  EXPECT_GT(RelativeError(result.sites[3], result.hidden), 0.1);
}

TEST_P(GoldenTest, LossesAndTheirArguments) {
  const Gemma model = golden().MakeModel();
  for (const GoldenObjective& objective : GoldenObjectives()) {
    const std::string prefix = "case." + objective.name;
    EXPECT_LT(LargestRelative(golden().Loss(model, objective).unsqueeze(0),
                              golden().Expected(prefix + ".loss")),
              2e-5)
        << objective.name;
    const Method method = objective.options.method;
    if (method == Method::kSft || method == Method::kKto) continue;
    const at::Tensor u = ComputeTerms(objective.options, golden().Pairs(model, objective)).u;
    EXPECT_LT(RelativeError(u.cpu(), golden().Expected(prefix + ".u")), 2e-5) << objective.name;
  }
}

TEST_P(GoldenTest, GradientsOfEveryObjective) {
  Gemma model = golden().MakeModel();
  model.SetRequiresGrad(true);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : model.Parameters()) names.push_back(name);
  const std::vector<std::string> stored = golden().ParameterNames();
  for (const GoldenObjective& objective : GoldenObjectives()) {
    const auto ours = Fingerprints(GradientsOf(model, golden().Loss(model, objective)));
    const auto expected = golden().Expected("case." + objective.name + ".gradients");
    for (size_t i = 0; i < names.size(); ++i) {
      const auto place = std::find(stored.begin(), stored.end(), names[i]) - stored.begin();
      ASSERT_LT(place, static_cast<int64_t>(stored.size())) << names[i];
      const double error = (ours[i] - expected[place]).abs().max().item<double>();
      const double norm = expected[place][0].item<double>();
      EXPECT_LT(error, kGradientTolerance * norm) << objective.name << " " << names[i];
    }
  }
}

TEST_P(GoldenTest, EveryElementOfTheFpoGradient) {
  Gemma model = golden().MakeModel();
  model.SetRequiresGrad(true);
  const GoldenObjective fpo = GoldenObjectives()[5];
  ASSERT_EQ(fpo.name, "fpo_union");
  const auto ours = GradientsOf(model, golden().Loss(model, fpo));
  for (size_t i = 0; i < ours.size(); ++i) {
    const at::Tensor expected = golden().Expected("gradient." + model.Parameters()[i].first);
    const double scale = expected.abs().max().item<double>();
    EXPECT_LT((ours[i].cpu() - expected).abs().max().item<double>(), kGradientTolerance * scale)
        << model.Parameters()[i].first;
  }
}

TEST_P(GoldenTest, CheckpointedGradientsAreTheSameBits) {
  Gemma model = golden().MakeModel();
  model.SetRequiresGrad(true);
  const GoldenObjective fpo = GoldenObjectives()[5];
  ForwardOptions checkpointed;
  checkpointed.activation_checkpointing = true;
  const auto plain = GradientsOf(model, golden().Loss(model, fpo));
  const auto again = GradientsOf(model, golden().Loss(model, fpo, checkpointed));
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(at::equal(plain[i], again[i])) << model.Parameters()[i].first;
  }
}

TEST_P(GoldenTest, TenStepTrajectories) {
  const struct {
    const char* name;
    const char* objective;
    const char* optimizer;
    double lr;
  } runs[] = {{"sft", "sft", "adam", 1e-3},
              {"dpo", "dpo", "adam", 1e-3},
              {"simpo", "simpo", "adam", 1e-3},
              {"tdpo2", "tdpo2", "adam", 1e-3},
              {"fpo_union", "fpo_union", "adam", 1e-3},
              {"dpo_hinge_features", "dpo_hinge_features", "adam", 1e-3},
              {"ln_dpo_ipo", "ln_dpo_ipo", "adam", 1e-3},
              {"dpo_sft", "dpo_sft", "adam", 1e-3},
              {"orpo", "orpo", "adam", 1e-3},
              {"kto", "kto", "adam", 1e-3},
              {"kto_rejected", "kto_rejected", "adam", 1e-3},
              {"fpo_union_rmsprop", "fpo_union", "rmsprop", 1e-4}};
  for (const auto& run : runs) {
    GoldenObjective objective;
    for (const GoldenObjective& candidate : GoldenObjectives()) {
      if (candidate.name == run.objective) objective = candidate;
    }
    Gemma model = golden().MakeModel();
    model.SetRequiresGrad(true);
    OptimizerOptions options;
    options.eps = 1e-6;
    const auto optimizer = *MakeOptimizer(run.optimizer, model.Parameters(), options);
    const at::Tensor expected = golden().Expected(std::string("trajectory.") + run.name);
    for (int64_t step = 0; step < expected.size(0); ++step) {
      const at::Tensor loss = golden().Loss(model, objective);
      EXPECT_NEAR(loss.item<double>(), expected[step].item<double>(), 1e-4)
          << run.name << " step " << step;
      optimizer->Step(GradientsOf(model, loss), run.lr);
    }
    EXPECT_LT(expected[-1].item<double>(), expected[0].item<double>() - 1e-3) << run.name;
  }
}

// A tiny random model amplifies rounding; a wrong path is off by nats.
TEST_P(GoldenTest, BFloat16StaysNear) {
  const GoldenCase narrow(std::get<0>(GetParam()), device_, at::kBFloat16);
  const Gemma model = narrow.MakeModel();
  const at::Tensor logps = narrow.Score(model, narrow.Forward(model, {}).hidden, false).logp;
  EXPECT_LT(LargestRelative(logps, golden().Expected("logps")), 2e-2);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTest,
                         ::testing::Combine(::testing::Values("gemma2", "gemma3", "llama", "qwen3"),
                                            ::testing::Values("cpu", "cuda")),
                         [](const auto& cell) {
                           return std::string(std::get<0>(cell.param)) + "_" +
                                  std::get<1>(cell.param);
                         });

}  // namespace
}  // namespace fpo::train
