#include "train/decode/cpu_decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

namespace fpo::train {
namespace {

std::vector<int32_t> SomeIds(int64_t count, int64_t seed) {
  std::vector<int32_t> ids = {2};
  for (int64_t i = 1; i < count; ++i)
    ids.push_back(static_cast<int32_t>(3 + (i * i * 7 + seed) % 50));
  return ids;
}

// What makes an answer independent of its batch mates.
TEST(CpuDecoderTest, LogitsDoNotDependOnTheStepToTheLastBit) {
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    const Gemma model = Gemma::Random(TinyForTest(architecture), 5, at::kFloat);
    const std::unique_ptr<Decoder> decoder = Decoder::Create(model, {});
    const std::vector<int32_t> ids = SomeIds(17, 4);
    CachedSequence alone = decoder->NewSequence({17, 17});
    const at::Tensor expected = decoder->Step({{{&alone, ids, true}}})[0];
    for (const int64_t mates : {1, 4, 9}) {
      std::vector<CachedSequence> others;
      std::vector<StepInput> inputs;
      CachedSequence mine = decoder->NewSequence({30, 5});
      for (int64_t i = 0; i < mates; ++i) others.push_back(decoder->NewSequence({60, 8}));
      at::Tensor logits;
      for (size_t at = 0; at < ids.size(); at += 5) {
        inputs.clear();
        for (int64_t i = 0; i < mates; ++i)
          inputs.push_back(
              {&others[i], absl::MakeConstSpan(ids.data(), static_cast<size_t>(1 + i % 3))});
        const size_t place = static_cast<size_t>(mates / 2);
        inputs.insert(inputs.begin() + static_cast<int64_t>(place),
                      {&mine, absl::MakeConstSpan(ids).subspan(at, 5), true});
        logits = decoder->Step(inputs)[0];
      }
      EXPECT_TRUE(at::equal(logits, expected)) << mates;
    }
  }
}

TEST(CpuDecoderTest, BFloat16WeightsGiveFloat32Numbers) {
  const Gemma small = Gemma::Random(TinyForTest(Architecture::kGemma3), 5, at::kBFloat16);
  TensorMap wide;
  for (const auto& [name, tensor] : small.Parameters()) wide[name] = tensor.to(at::kFloat);
  const Gemma large = *Gemma::Create(small.config(), wide);
  const std::vector<int32_t> ids = SomeIds(11, 4);
  std::vector<at::Tensor> logits;
  for (const Gemma& model : {small, large}) {
    const std::unique_ptr<Decoder> decoder = Decoder::Create(model, {});
    CachedSequence sequence = decoder->NewSequence({11, 11});
    logits.push_back(decoder->Step({{{&sequence, ids, true}}}));
  }
  EXPECT_TRUE(at::equal(logits[0], logits[1]));
}

}  // namespace
}  // namespace fpo::train
