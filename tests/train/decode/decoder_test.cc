#include "train/decode/decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "train/decode/cpu_decoder.h"
#include "train/decode/tensor_decoder.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

std::vector<int32_t> Ids(int64_t count, int64_t seed) {
  std::vector<int32_t> ids = {2};
  for (int64_t i = 1; i < count; ++i)
    ids.push_back(static_cast<int32_t>(3 + (i * i * 7 + seed) % 50));
  return ids;
}

// [seq, vocab] of the whole sequence by the trainer's forward.
at::Tensor ForwardLogits(const Gemma& model, const std::vector<int32_t>& ids) {
  const at::NoGradGuard no_grad;
  const at::Tensor row = at::tensor(std::vector<int64_t>(ids.begin(), ids.end())).unsqueeze(0);
  const at::Tensor hidden = model.Forward(row, {}).hidden[0];
  at::Tensor logits = at::linear(hidden, model.head()).to(at::kFloat);
  const auto cap = model.config().final_softcap;
  return cap ? at::tanh(logits / *cap) * *cap : logits;
}

class DecoderTest : public ::testing::TestWithParam<std::tuple<Architecture, bool>> {
 protected:
  static Gemma Model(at::ScalarType dtype = at::kFloat) {
    GemmaConfig config = TinyForTest(std::get<0>(GetParam()));
    Gemma model = Gemma::Random(config, 5, dtype);
    for (const auto& [name, tensor] : model.Parameters()) {
      if (tensor.dim() > 1) tensor.mul_(12);
    }
    return model;
  }
  static std::unique_ptr<Decoder> Make(const Gemma& model) {
    Decoder::Options options;
    options.use_tensors = std::get<1>(GetParam());
    return Decoder::Create(model, options);
  }
  static at::Tensor Read(Decoder& decoder, CachedSequence* sequence,
                         const std::vector<int32_t>& ids, size_t from, size_t count) {
    return decoder.Step({{{sequence, absl::MakeConstSpan(ids).subspan(from, count), true}}});
  }
};

TEST_P(DecoderTest, TokenByTokenAgreesWithTheForward) {
  const Gemma model = Model();
  const std::unique_ptr<Decoder> decoder = Make(model);
  const std::vector<int32_t> ids = Ids(23, 1);
  const at::Tensor expected = ForwardLogits(model, ids);
  CachedSequence sequence = decoder->NewSequence({40, 1});
  for (size_t i = 0; i < ids.size(); ++i) {
    const at::Tensor logits = Read(*decoder, &sequence, ids, i, 1);
    ASSERT_TRUE(at::allclose(logits[0], expected[static_cast<int64_t>(i)], 1e-4, 1e-4)) << i;
  }
  EXPECT_EQ(sequence.ids(), ids);
}

TEST_P(DecoderTest, ReadingInPartsGivesTheSame) {
  const Gemma model = Model();
  const std::unique_ptr<Decoder> decoder = Make(model);
  const std::vector<int32_t> ids = Ids(23, 1);
  const at::Tensor expected = ForwardLogits(model, ids)[-1];
  for (const size_t part : {1, 2, 5, 23}) {
    CachedSequence sequence = decoder->NewSequence({23, static_cast<int64_t>(part)});
    at::Tensor logits;
    for (size_t i = 0; i < ids.size(); i += part) {
      logits = Read(*decoder, &sequence, ids, i, std::min(part, ids.size() - i));
    }
    EXPECT_TRUE(at::allclose(logits[0], expected, 1e-4, 1e-4)) << part;
  }
}

TEST_P(DecoderTest, ManySequencesInOneStep) {
  const Gemma model = Model();
  const std::unique_ptr<Decoder> decoder = Make(model);
  const std::vector<int32_t> a = Ids(9, 1), b = Ids(3, 2), c = Ids(14, 3);
  std::vector<CachedSequence> sequences;
  for (int i = 0; i < 3; ++i) sequences.push_back(decoder->NewSequence({20, 16}));
  const at::Tensor logits = decoder->Step(
      {{{&sequences[0], a, true}, {&sequences[1], b, false}, {&sequences[2], c, true}}});
  ASSERT_EQ(logits.size(0), 2);
  EXPECT_TRUE(at::allclose(logits[0], ForwardLogits(model, a)[-1], 1e-4, 1e-4));
  EXPECT_TRUE(at::allclose(logits[1], ForwardLogits(model, c)[-1], 1e-4, 1e-4));
}

TEST_P(DecoderTest, KeptBeginningsNeedNotBeReadAgain) {
  const Gemma model = Model();
  const std::unique_ptr<Decoder> decoder = Make(model);
  std::vector<int32_t> ids = Ids(12, 1);
  CachedSequence sequence = decoder->NewSequence({40, 8});
  Read(*decoder, &sequence, ids, 0, 8);
  Read(*decoder, &sequence, ids, 8, 4);
  ids[10] = 55;  // from here on it is another text
  ids.push_back(7);
  EXPECT_EQ(sequence.KeepPrefixOf(ids), 10);
  const at::Tensor logits = Read(*decoder, &sequence, ids, 10, 3);
  EXPECT_TRUE(at::allclose(logits[0], ForwardLogits(model, ids)[-1], 1e-4, 1e-4));
  ids[1] = 55;  // the windows have moved on too far
  EXPECT_EQ(sequence.KeepPrefixOf(ids), model.config().sliding_window > 0 ? 0 : 1);
}

TEST_P(DecoderTest, RefusesWhatDoesNotFit) {
  const Gemma model = Model();
  const std::unique_ptr<Decoder> decoder = Make(model);
  CachedSequence sequence = decoder->NewSequence({4, 3});
  EXPECT_THROW(Read(*decoder, &sequence, {2, 3, 4, 5}, 0, 4), c10::Error);
  EXPECT_THROW(Read(*decoder, &sequence, {2, 61}, 0, 2), c10::Error);
  EXPECT_THROW(Read(*decoder, &sequence, {2, -1}, 0, 2), c10::Error);
  Read(*decoder, &sequence, {2, 3, 4}, 0, 3);
  EXPECT_THROW(Read(*decoder, &sequence, {2, 3}, 0, 2), c10::Error);
}

INSTANTIATE_TEST_SUITE_P(
    All, DecoderTest,
    ::testing::Combine(::testing::Values(Architecture::kGemma2, Architecture::kGemma3,
                                         Architecture::kLlama, Architecture::kQwen3),
                       ::testing::Bool()));

}  // namespace
}  // namespace fpo::train
