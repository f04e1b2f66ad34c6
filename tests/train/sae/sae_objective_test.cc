#include "train/sae/sae_objective.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/optim/gradient_buffer.h"
#include "train/optim/optimizer.h"
#include "train/sae/sae_health.h"

namespace fpo::train {
namespace {

SaeObjectiveOptions Options() {
  SaeObjectiveOptions options;
  options.width = 5;
  options.features = 8;
  options.input_scale = 0.5;
  options.bandwidth = 0.4;
  options.initial_threshold = 0.3;
  return options;
}

at::Tensor Find(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [own, tensor] : tensors) {
    if (own == name) return tensor;
  }
  return {};
}

at::Tensor Rows(int64_t count) {
  at::manual_seed(19);
  return at::randn({count, 5}) * 2;
}

TEST(SaeObjective, ThresholdGradientFollowsTheStraightThroughFormula) {
  const SaeObjective objective(Options());
  const double sparsity = 0.7;
  const at::Tensor rows = Rows(6);
  objective.Loss(rows, sparsity).loss.backward();

  const at::NoGradGuard no_grad;
  const auto& p = objective.Parameters();
  const at::Tensor x = rows * 0.5;
  const at::Tensor theta = Find(p, "log_threshold").exp();
  const at::Tensor pre = (at::matmul(x, Find(p, "w_enc")) + Find(p, "b_enc")).relu();
  const at::Tensor codes = pre * pre.gt(theta);
  const at::Tensor error = at::matmul(codes, Find(p, "w_dec")) + Find(p, "b_dec") - x;
  const at::Tensor dcodes = at::matmul(error, Find(p, "w_dec").t()) * (2.0 / 6);
  const at::Tensor near = (pre - theta).abs().lt(0.2).to(at::kFloat);
  ASSERT_GE(near.sum().item<double>(), 3);
  const at::Tensor dtheta =
      -(dcodes * near * theta / 0.4).sum(0) - (near * (sparsity / 6 / 0.4)).sum(0);
  EXPECT_LT(RelativeError(Find(p, "log_threshold").grad(), dtheta * theta), 1e-5);
  // The L0 term gives nothing to the encoder; the reconstruction reaches it through active codes.
  const at::Tensor dpre = dcodes * pre.gt(theta);
  EXPECT_LT(RelativeError(Find(p, "w_enc").grad(), at::matmul(x.t(), dpre)), 1e-5);
}

TEST(SaeObjective, LossIsReconstructionPlusSparsityTimesL0) {
  const SaeObjective objective(Options());
  const SaeLoss loss = objective.Loss(Rows(6), 0.25);
  EXPECT_NEAR(loss.loss.item<double>(),
              loss.reconstruction.item<double>() + 0.25 * loss.l0.item<double>(), 1e-5);
  EXPECT_GT(loss.l0.item<double>(), 0);
}

TEST(SaeObjective, DecoderRowsKeepUnitNorm) {
  SaeObjective objective(Options());
  const at::Tensor decoder = Find(objective.Parameters(), "w_dec");
  EXPECT_LT(RelativeError(decoder.norm(2, {1}), at::ones({8})), 1e-6);
  objective.Loss(Rows(6), 0.1).loss.backward();
  objective.ConstrainGradients();
  EXPECT_LT((decoder.grad() * decoder).sum(1).abs().max().item<double>(), 1e-5);
  decoder.detach().mul_(3);
  objective.ConstrainParameters();
  EXPECT_LT(RelativeError(decoder.norm(2, {1}), at::ones({8})), 1e-6);
}

TEST(SaeObjective, ExportTakesUnscaledActivations) {
  SaeObjective objective(Options());
  objective.InitialiseFrom(Rows(50));
  const at::Tensor rows = Rows(6);
  const SaeLoss loss = objective.Loss(rows, 0);
  const auto sae = SparseAutoencoder::Create(objective.Export());
  ASSERT_TRUE(sae.ok()) << sae.status();
  const at::Tensor codes = sae->Encode(rows);
  EXPECT_NEAR(codes.count_nonzero().item<double>() / 6, loss.l0.item<double>(), 1e-6);
  const at::Tensor lost = (sae->Decode(codes) - rows).square().sum(1).mean();
  EXPECT_NEAR(lost.item<double>() * 0.25, loss.reconstruction.item<double>(),
              1e-5);  // scale 0.5, squared
}

TEST(SaeInputScale, GivesUnitMeanSquaredNorm) {
  const at::Tensor rows = Rows(40);
  const double scale = SaeInputScale(rows);
  EXPECT_NEAR((rows * scale).square().sum(1).mean().item<double>(), 1, 1e-5);
  EXPECT_THROW(SaeInputScale(at::zeros({3, 5})), c10::Error);
}

TEST(SaeObjective, LearnsASparseDictionary) {
  at::set_num_threads(1);
  // Rows are sums of 2 of 12 directions: a sparse code exists.
  at::manual_seed(20);
  const at::Tensor directions = at::randn({12, 8});
  const auto batch = [&] {
    const at::Tensor picked = at::zeros({128, 12}).scatter_(
        1, std::get<1>(at::rand({128, 12}).topk(2, 1)), at::rand({128, 2}) + 0.5);
    return at::matmul(picked, directions);
  };
  SaeObjectiveOptions options;
  options.width = 8;
  options.features = 24;
  options.input_scale = SaeInputScale(batch());
  SaeObjective objective(options);
  objective.InitialiseFrom(batch());
  const auto optimizer = *MakeOptimizer("adam", objective.Parameters(), {});
  GradientBuffer gradients(objective.Parameters());
  const SaeLoss before = objective.Loss(batch(), 0.01);
  for (int step = 0; step < 400; ++step) {
    objective.Loss(batch(), 0.01).loss.backward();
    objective.ConstrainGradients();
    gradients.Collect();
    optimizer->Step(gradients.gradients(), 3e-3);
    gradients.Clear();
    objective.ConstrainParameters();
  }
  SaeHealth health(*SparseAutoencoder::Create(objective.Export()));
  health.Add(batch());
  EXPECT_LT(health.Fvu(), 0.1);
  EXPECT_LT(health.L0(), before.l0.item<double>());
  RecordProperty("fvu", std::to_string(health.Fvu()));
  RecordProperty("l0", std::to_string(health.L0()));
}

// On the meta device a tensor of another device is an error, and so is reading a value.
TEST(SaeObjective, AStepNeedsOneDeviceAndNoWaiting) {
  SaeObjectiveOptions options;
  options.width = 6;
  options.features = 16;
  options.device = at::kMeta;
  SaeObjective objective(options);
  const at::Tensor rows =
      at::empty({5, 6}, at::TensorOptions().device(at::kMeta).dtype(at::kFloat));
  objective.InitialiseFrom(rows);
  const SaeLoss loss = objective.Loss(rows, 0.1);
  loss.loss.backward();
  objective.ConstrainGradients();
  objective.ConstrainParameters();
  EXPECT_TRUE(loss.l0.is_meta());
  EXPECT_TRUE(objective.Export().w_enc.is_meta());
}

}  // namespace
}  // namespace fpo::train
