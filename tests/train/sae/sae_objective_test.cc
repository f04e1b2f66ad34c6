#include "train/sae/sae_objective.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "tests/train/ops/memory_watch.h"
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

// The gradients of the formula, straight-through to the threshold, with everything in memory.
NamedTensors PlainGradients(const SaeObjective& objective, const at::Tensor& rows,
                            double sparsity) {
  const at::NoGradGuard no_grad;
  const auto& p = objective.Parameters();
  const auto count = static_cast<double>(rows.size(0));
  const at::Tensor x = rows * 0.5;
  const at::Tensor theta = Find(p, "log_threshold").exp();
  const at::Tensor pre = (at::matmul(x, Find(p, "w_enc")) + Find(p, "b_enc")).relu();
  const at::Tensor codes = pre * pre.gt(theta);
  const at::Tensor error = at::matmul(codes, Find(p, "w_dec")) + Find(p, "b_dec") - x;
  const at::Tensor dcodes = at::matmul(error, Find(p, "w_dec").t()) * (2 / count);
  const at::Tensor near = (pre - theta).abs().lt(0.2).to(at::kFloat);
  EXPECT_GE(near.sum().item<double>(), 3);
  const at::Tensor dtheta =
      -(dcodes * near * theta / 0.4).sum(0) - (near * (sparsity / count / 0.4)).sum(0);
  // The L0 term gives nothing to the encoder; the reconstruction reaches it through active codes.
  const at::Tensor dpre = dcodes * pre.gt(theta);
  return {{"w_enc", at::matmul(x.t(), dpre)},
          {"b_enc", dpre.sum(0)},
          {"log_threshold", dtheta * theta},
          {"w_dec", at::matmul(codes.t(), error) * (2 / count)},
          {"b_dec", error.sum(0) * (2 / count)}};
}

TEST(SaeObjective, ThresholdGradientFollowsTheStraightThroughFormula) {
  const SaeObjective objective(Options());
  objective.Loss(Rows(6), 0.7).loss.backward();
  for (const auto& [name, expected] : PlainGradients(objective, Rows(6), 0.7)) {
    EXPECT_LT(RelativeError(Find(objective.Parameters(), name).grad(), expected), 1e-5) << name;
  }
}

// More features than a block holds; the loss and its gradient are those of the whole.
TEST(SaeObjective, BlocksOfFeaturesAreTheWhole) {
  SaeObjectiveOptions options = Options();
  options.features = 70000;
  options.initial_threshold = 2.53;
  const SaeObjective objective(options);
  // Numbers of few digits, so that products are exact in any order and none is at a threshold; a
  // small decoder, so that sums of thousands of features do not cancel.
  Find(objective.Parameters(), "w_enc").detach().mul_(8).round_().div_(8);
  Find(objective.Parameters(), "w_dec").detach().mul_(8).round_().div_(1 << 15);
  const at::Tensor rows = at::randint(-3, 4, {64, 5}, at::kFloat) * 2;
  const SaeLoss loss = objective.Loss(rows, 0.001);
  (loss.loss * 2).backward();
  for (const auto& [name, expected] : PlainGradients(objective, rows, 0.001)) {
    EXPECT_LT(RelativeError(Find(objective.Parameters(), name).grad(), expected * 2), 2e-5) << name;
  }
}

// Pre-activations of all rows would be 256 MiB, several of them would be alive.
TEST(SaeObjective, MemoryDoesNotGrowWithRowsTimesFeatures) {
  SaeObjectiveOptions options = Options();
  options.features = 1 << 16;
  const SaeObjective objective(options);
  const at::Tensor rows = Rows(1024);
  const int64_t parameters = options.features * (2 * options.width + 2) * 4;
  const MemoryWatch watch;
  objective.Loss(rows, 0.1).loss.backward();
  EXPECT_LT(watch.peak_bytes(), 2 * parameters + (int64_t{160} << 20));
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
