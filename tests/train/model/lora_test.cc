#include "train/model/lora.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "train/model/gemma.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

LoraConfig Lora(const std::vector<std::string>& targets) { return *MakeLoraConfig(2, 6, targets); }

at::Tensor Normal(std::vector<int64_t> shape) { return at::randn(shape, at::kDouble); }

TEST(Lora, TargetsAreNamedAsInPeft) {
  EXPECT_EQ(DescribeLora(Lora({"v_proj", "q_proj"})), "lora rank 2, alpha 6, q_proj v_proj");
  EXPECT_EQ(Lora({"all-linear"}).TensorsOfBlock(), 14);
  const LoraConfig some = Lora({"v_proj", "down_proj"});
  EXPECT_EQ(some.Place(LoraTarget::kQ), -1);
  EXPECT_EQ(some.Place(LoraTarget::kV), 0);
  EXPECT_EQ(some.Place(LoraTarget::kDown), 2);
  EXPECT_EQ(some.scale(), 3);
  EXPECT_THAT(std::string(MakeLoraConfig(1, 1, {"lm_head"}).status().message()),
              HasSubstr("\"lm_head\" is no projection"));
  EXPECT_FALSE(MakeLoraConfig(1, 1, {}).ok());
  GemmaConfig config = TinyForTest();
  config.layers = 1;
  EXPECT_THAT(LoraNames(config, Lora({"v_proj"})),
              ElementsAre("base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight",
                          "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight"));
  EXPECT_EQ(LoraWeightOf("base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"),
            "model.layers.0.mlp.up_proj.weight");
}

TEST(Lora, FollowsTheFormulaWithExactGradients) {
  at::manual_seed(11);
  const std::vector<at::Tensor> t = {Normal({2, 3, 4}), Normal({5, 4}), Normal({2, 4}),
                                     Normal({5, 2})};
  const auto project = [](const std::vector<at::Tensor>& v) {
    return Project(v[0], {v[1], v[2], v[3], 0.75});
  };
  const at::Tensor changed = t[1] + 0.75 * at::mm(t[3], t[2]);
  EXPECT_LT(RelativeError(project(t), at::matmul(t[0], changed.t())), 1e-13);
  EXPECT_LT(RelativeError(MergedWeight({t[1], t[2], t[3], 0.75}), changed), 1e-14);
  ExpectGradientsMatchDifferences([&](const auto& v) { return project(v); }, t);
}

TEST(Lora, ANewOneChangesNothingAndIsTheSameForASeed) {
  const GemmaConfig config = TinyForTest();
  const LoraConfig lora = Lora({"all-linear"});
  const NamedTensors one = NewLora(config, lora, 7), other = NewLora(config, lora, 7);
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(at::equal(one[i].second, other[i].second)) << one[i].first;
    const double bound = 1 / std::sqrt(static_cast<double>(one[i].second.size(1)));
    const double largest = one[i].second.abs().max().item<double>();
    EXPECT_TRUE(IsLoraB(one[i].first) ? largest == 0 : largest > 0.5 * bound && largest <= bound);
  }
  const Gemma base = Gemma::Random(config, 3, at::kFloat);
  Gemma model = base;
  model.Adapt(lora, one);
  EXPECT_EQ(base.lora(), nullptr) << "a copy is not changed";
  const at::Tensor ids = at::randint(config.vocab_size, {2, 6}, at::kLong);
  EXPECT_TRUE(at::equal(model.Forward(ids, {}).hidden, base.Forward(ids, {}).hidden));
}

// Plain and with recomputed blocks; the merged model computes the same.
TEST(Lora, AnAdaptedModelIsTheOneWithChangedWeights) {
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    const GemmaConfig config = TinyForTest(architecture);
    Gemma model = Gemma::Random(config, 3, at::kDouble);
    const LoraConfig lora = Lora({"q_proj", "o_proj", "gate_proj", "down_proj"});
    NamedTensors tensors = NewLora(config, lora, 7);
    at::manual_seed(12);
    for (auto& [name, tensor] : tensors) tensor = Normal(tensor.sizes().vec()) * 0.2;
    model.Adapt(lora, tensors);
    TensorMap merged = model.Merged();
    const auto plain = Gemma::Create(config, std::move(merged));
    ASSERT_TRUE(plain.ok()) << plain.status();
    const at::Tensor ids = at::randint(config.vocab_size, {2, 6}, at::kLong);
    const at::Tensor expected = plain->Forward(ids, {}).hidden;
    ForwardOptions recomputed;
    recomputed.activation_checkpointing = true;
    std::vector<at::Tensor> gradients;
    for (const ForwardOptions& options : {ForwardOptions(), recomputed}) {
      const at::Tensor hidden = model.Forward(ids, options).hidden;
      EXPECT_LT(RelativeError(hidden, expected), 1e-12);
      hidden.square().sum().backward();
      for (const auto& [name, tensor] : model.Trained()) {
        ASSERT_TRUE(tensor.grad().defined()) << name;
        gradients.push_back(tensor.grad().clone());
        tensor.mutable_grad().reset();
      }
    }
    const size_t half = gradients.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      EXPECT_LT(RelativeError(gradients[half + i], gradients[i]), 1e-12);
    }
    for (const auto& [name, weight] : model.Parameters()) {
      EXPECT_FALSE(weight.requires_grad() || weight.grad().defined()) << name << " is frozen";
    }
  }
}

}  // namespace
}  // namespace fpo::train
