#include "train/decode/tensor_decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace fpo::train {
namespace {

// [vocab] behind the ids, by the trainer's forward.
at::Tensor LastLogits(const Gemma& model, const std::vector<int32_t>& ids) {
  const at::NoGradGuard no_grad;
  const at::Tensor row = at::tensor(std::vector<int64_t>(ids.begin(), ids.end())).unsqueeze(0);
  const at::Tensor logits = at::linear(model.Forward(row, {}).hidden[0][-1], model.head());
  const auto cap = model.config().final_softcap;
  return cap ? at::tanh(logits / *cap) * *cap : logits;
}

class TensorDecoderTest : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(TensorDecoderTest, AgreesWithTheForwardInTheModelsDtype) {
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    const Gemma model = Gemma::Random(TinyForTest(architecture), 5, GetParam());
    TensorDecoder decoder(model);
    CachedSequence sequence = decoder.NewSequence({32, 6});
    EXPECT_EQ(sequence.layer(0).keys.scalar_type(), GetParam());
    std::vector<int32_t> ids = {2};
    at::Tensor logits;
    for (int32_t i = 0; i < 12; ++i) {
      logits = decoder.Step({{{&sequence, absl::MakeConstSpan(&ids.back(), 1), true}}});
      ids.push_back(3 + i * 7 % 50);
    }
    ids.pop_back();
    const at::Tensor expected = LastLogits(model, ids).to(at::kFloat);
    const double tolerance = GetParam() == at::kBFloat16 ? 2e-2 : 1e-6;
    EXPECT_LT((logits[0] - expected).abs().max().item<double>(), tolerance);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, TensorDecoderTest,
                         ::testing::Values(at::kFloat, at::kDouble, at::kBFloat16));

}  // namespace
}  // namespace fpo::train
