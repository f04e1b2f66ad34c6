// A model whose projections are in NF4 is the model of the dense weights that these stand for.

#include <ATen/ATen.h>

#include "gtest/gtest.h"
#include "train/model/gemma.h"

namespace fpo::train {
namespace {

struct Twins {
  Gemma packed, dense;
};

Twins MakeTwins(Architecture architecture, at::ScalarType type) {
  const GemmaConfig config = TinyForTest(architecture);
  TensorMap kept, dense;
  Nf4Weights packed;
  const Gemma random = Gemma::Random(config, 3, type);
  for (const auto& [name, weight] : random.Parameters()) {
    if (!IsProjection(name)) {
      kept[name] = dense[name] = weight;
      continue;
    }
    packed[name] = *QuantiseNf4(weight, true);
    dense[name] = DequantisedNf4(packed[name], type);
  }
  return {*Gemma::Create(config, std::move(kept), std::move(packed)),
          *Gemma::Create(config, std::move(dense))};
}

class PackedGemma : public ::testing::TestWithParam<std::tuple<Architecture, at::ScalarType>> {
 protected:
  Twins Adapted() const {
    Twins twins = MakeTwins(std::get<0>(GetParam()), std::get<1>(GetParam()));
    const LoraConfig lora = *MakeLoraConfig(2, 6, {"q_proj", "o_proj", "up_proj", "down_proj"});
    at::manual_seed(4);
    NamedTensors tensors = NewLora(twins.packed.config(), lora, 7), others;
    for (auto& [name, tensor] : tensors) {
      if (IsLoraB(name)) tensor.normal_(0, 0.3);
      others.emplace_back(name, tensor.clone());
    }
    twins.packed.Adapt(lora, std::move(tensors));
    twins.dense.Adapt(lora, std::move(others));
    return twins;
  }
  static at::Tensor Ids(const Gemma& model) {
    at::manual_seed(9);
    return at::randint(model.config().vocab_size, {2, 7}, at::kLong);
  }
};
INSTANTIATE_TEST_SUITE_P(
    Models, PackedGemma,
    ::testing::Combine(::testing::Values(Architecture::kGemma2, Architecture::kGemma3),
                       ::testing::Values(at::kFloat, at::kBFloat16, at::kDouble)));

TEST_P(PackedGemma, ComputesWhatItsDenseWeightsDo) {
  const Twins twins = Adapted();
  EXPECT_TRUE(twins.packed.IsPacked());
  EXPECT_FALSE(twins.dense.IsPacked());
  const at::Tensor ids = Ids(twins.dense);
  for (const bool recompute : {false, true}) {
    ForwardOptions options;
    options.activation_checkpointing = recompute;
    std::vector<at::Tensor> hidden;
    for (const Gemma* model : {&twins.packed, &twins.dense}) {
      for (const auto& [name, tensor] : model->Trained()) tensor.mutable_grad().reset();
      hidden.push_back(model->Forward(ids, options).hidden);
      hidden.back().to(at::kDouble).square().sum().backward();
    }
    EXPECT_TRUE(at::equal(hidden[0], hidden[1]));
    for (size_t i = 0; i < twins.dense.Trained().size(); ++i) {
      EXPECT_TRUE(at::equal(twins.packed.Trained()[i].second.grad(),
                            twins.dense.Trained()[i].second.grad()))
          << twins.dense.Trained()[i].first << recompute;
    }
  }
}

TEST_P(PackedGemma, IsMergedWithOneRounding) {
  const Twins twins = Adapted();
  const TensorMap merged = twins.packed.Merged(), dense = twins.dense.Merged();
  const at::ScalarType type = std::get<1>(GetParam());
  for (const auto& [name, weight] : merged) {
    EXPECT_EQ(weight.scalar_type(), type) << name;
    if (type == at::kFloat) EXPECT_TRUE(at::equal(weight, dense.at(name))) << name;
  }
  // Of a projection without an adapter, what was computed with.
  const std::string plain = "model.layers.0.self_attn.v_proj.weight";
  EXPECT_TRUE(at::equal(merged.at(plain), dense.at(plain)));
}

TEST(PackedGemmaWeights, AreCheckedByName) {
  const GemmaConfig config = TinyForTest();
  const Gemma model = Gemma::Random(config, 3, at::kFloat);
  const TensorMap all(model.Parameters().begin(), model.Parameters().end());
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  const auto message = [&](const Nf4Tensor& packed) {
    TensorMap kept = all;
    kept.erase(name);
    return std::string(Gemma::Create(config, std::move(kept), {{name, packed}}).status().message());
  };
  EXPECT_EQ(message(*QuantiseNf4(all.at(name), false)), "");
  const std::string wrong = message(*QuantiseNf4(all.at(name).t(), false));
  EXPECT_NE(wrong.find(name + "\" is packed in another shape"), std::string::npos) << wrong;
}

}  // namespace
}  // namespace fpo::train
