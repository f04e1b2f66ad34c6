#include "train/model/block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

constexpr int64_t kSeq = 5;

BlockContext Context(Architecture architecture) {
  BlockContext context;
  context.config = std::make_shared<const GemmaConfig>(TinyForTest(architecture));
  context.rope =
      MakeRopeTable(kSeq, context.config->head_dim, {100, 1}, at::zeros({1}, at::kDouble));
  return context;
}

// x and the weights of a block, in order.
std::vector<at::Tensor> Inputs(const BlockContext& context) {
  at::manual_seed(12);
  std::vector<at::Tensor> inputs = {at::randn({2, kSeq, 24}, at::kDouble)};
  const auto shapes = TensorShapes(*context.config);
  for (const std::string& name : BlockWeightNames(*context.config)) {
    const auto& shape = shapes.at("model.layers.0." + name);
    inputs.push_back(at::randn(shape, at::kDouble) * 0.3);
  }
  return inputs;
}

class BlockTest : public ::testing::TestWithParam<Architecture> {};

TEST_P(BlockTest, OutputIsTheMiddlePlusTheMlpSite) {
  const BlockContext context = Context(GetParam());
  const auto inputs = Inputs(context);
  const BlockResult result = RunBlock(inputs[0], at::TensorList(inputs).slice(1), context);
  // Without the MLP branch, output - mlp_out is x + z . Wo, of Gemma x + norm(z . Wo).
  const bool gemma = context.config->family().norms_outputs;
  at::Tensor branch = at::matmul(result.attn_z, inputs[gemma ? 8 : 6].t());
  if (gemma) branch = branch * (branch.square().mean(-1, true) + 1e-6).rsqrt() * (inputs[2] + 1);
  EXPECT_LT(RelativeError(result.output - result.mlp_out, inputs[0] + branch), 1e-12);
}

// Every output, plain and checkpointed, in x and in one weight of each kind.
TEST_P(BlockTest, HasExactGradients) {
  const BlockContext context = Context(GetParam());
  const auto inputs = Inputs(context);
  for (const auto run : {RunBlock, RunBlockCheckpointed}) {
    ExpectGradientsMatchDifferences(
        [&](const auto& changed) {
          auto all = inputs;
          for (size_t i = 0; i <= 4; ++i) all[i] = changed[i];
          const BlockResult r = run(all[0], at::TensorList(all).slice(1), context);
          return at::cat({r.output, r.mlp_out, r.attn_z}, -1);
        },
        {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]});
  }
}

TEST_P(BlockTest, CheckpointingGivesTheSameBits) {
  const BlockContext context = Context(GetParam());
  auto inputs = Inputs(context);
  for (at::Tensor& input : inputs) input = input.to(at::kFloat).set_requires_grad(true);
  BlockContext narrow = context;
  narrow.rope = MakeRopeTable(kSeq, context.config->head_dim, {100, 1}, inputs[0].detach());
  std::vector<std::vector<at::Tensor>> grads;
  for (const auto run : {RunBlock, RunBlockCheckpointed}) {
    const BlockResult r = run(inputs[0], at::TensorList(inputs).slice(1), narrow);
    grads.push_back(torch::autograd::grad({(r.output * r.output).sum() + r.attn_z.sum()}, inputs));
  }
  for (size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(at::equal(grads[0][i], grads[1][i])) << i;
}

TEST_P(BlockTest, CheckpointingWorksWhenOnlyTheWeightsNeedGradients) {
  const BlockContext context = Context(GetParam());
  auto inputs = Inputs(context);
  for (size_t i = 1; i < inputs.size(); ++i) inputs[i].set_requires_grad(true);
  const std::vector<at::Tensor> weights(inputs.begin() + 1, inputs.end());
  const BlockResult r = RunBlockCheckpointed(inputs[0], weights, context);
  const auto grads = torch::autograd::grad({r.output.sum()}, weights);
  for (const at::Tensor& grad : grads) EXPECT_GT(grad.abs().max().item<double>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Architectures, BlockTest,
                         ::testing::Values(Architecture::kGemma2, Architecture::kGemma3,
                                           Architecture::kLlama, Architecture::kQwen3));

}  // namespace
}  // namespace fpo::train
