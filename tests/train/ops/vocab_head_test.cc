#include "train/ops/vocab_head.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <tuple>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"
#include "tests/train/ops/memory_watch.h"
#include "train/ops/fast_paths.h"

namespace fpo::train {
namespace {

constexpr int64_t kRows = 7, kWidth = 5, kVocab = 13;

struct HeadInputs {
  at::Tensor hidden, weight, targets;
};

// `scale` 1 gives ordinary logits, larger ones logits far beyond a cap of 30.
HeadInputs MakeHeadInputs(double scale, at::ScalarType type = at::kDouble) {
  at::manual_seed(4);
  return {(at::randn({kRows, kWidth}, at::kDouble) * scale).to(type),
          at::randn({kVocab, kWidth}, at::kDouble).to(type),
          at::tensor({0, 12, 3, 3, 7, 1, 9}, at::kLong)};
}

at::Tensor Logits(const HeadInputs& in, double softcap) {
  const at::Tensor raw = at::matmul(in.hidden, in.weight.t());
  return softcap > 0 ? (raw / softcap).tanh() * softcap : raw;
}

at::Tensor Plain(const HeadInputs& in, double softcap) {
  return at::log_softmax(Logits(in, softcap), -1).gather(1, in.targets.unsqueeze(1)).squeeze(1);
}

TEST(VocabHead, LogProbsAndEntropyFollowTheFormula) {
  for (const double softcap : {0.0, 3.0}) {
    const HeadInputs in = MakeHeadInputs(2);
    const TokenScores scores = TokenLogProbs(in.hidden, in.weight, in.targets, {softcap, 3, 0});
    EXPECT_LT(RelativeError(scores.log_probs, Plain(in, softcap)), 1e-13);
    const at::Tensor logp = at::log_softmax(Logits(in, softcap), -1);
    EXPECT_LT(RelativeError(scores.entropy, -(logp.exp() * logp).sum(-1)), 1e-13);
    EXPECT_FALSE(scores.entropy.requires_grad());
  }
}

TEST(VocabHead, HasExactGradientsWhateverTheChunk) {
  for (const int64_t chunk : {1, 3, 256}) {
    const HeadInputs in = MakeHeadInputs(2);
    ExpectGradientsMatchDifferences(
        [&](const auto& x) {
          return TokenLogProbs(x[0], x[1], in.targets, {3.0, chunk, 0}).log_probs;
        },
        {in.hidden, in.weight});
  }
}

TEST(VocabHead, KeepsTheSoftcapInBothDirectionsFarAboveIt) {
  HeadInputs in = MakeHeadInputs(60);  // raw logits up to a few hundred, cap 30
  ASSERT_GT(at::matmul(in.hidden, in.weight.t()).abs().max().item<double>(), 100);
  in.hidden.set_requires_grad(true);
  in.weight.set_requires_grad(true);
  const at::Tensor ours = TokenLogProbs(in.hidden, in.weight, in.targets, {30, 2, 0}).log_probs;
  const at::Tensor plain = Plain(in, 30);
  EXPECT_LT(RelativeError(ours, plain), 1e-12);
  const auto ours_grad = torch::autograd::grad({ours.sum()}, {in.hidden, in.weight});
  const auto plain_grad = torch::autograd::grad({plain.sum()}, {in.hidden, in.weight});
  EXPECT_LT(RelativeError(ours_grad[0], plain_grad[0]), 1e-12);
  EXPECT_LT(RelativeError(ours_grad[1], plain_grad[1]), 1e-12);
}

TEST(VocabHead, HugeLogitsWithoutSoftcapStayFinite) {
  const at::Tensor hidden = at::tensor({1000.0f, -1000.0f}).unsqueeze(1).set_requires_grad(true);
  const at::Tensor weight = at::tensor({1.0f, -1.0f, 0.5f}).unsqueeze(1);
  const TokenScores scores =
      TokenLogProbs(hidden, weight, at::tensor({1, 0}, at::kLong), {0, 256, 0});
  EXPECT_FLOAT_EQ(scores.log_probs[0].item<float>(), -2000.0f);
  EXPECT_TRUE(at::isfinite(scores.entropy).all().item<bool>());
  const auto grad = torch::autograd::grad({scores.log_probs.sum()}, {hidden});
  EXPECT_TRUE(at::isfinite(grad[0]).all().item<bool>());
}

TEST(VocabHead, PaddedVocabularyHasNoProbability) {
  const HeadInputs in = MakeHeadInputs(2);
  HeadInputs padded = in;
  padded.weight = at::cat({in.weight, at::full({3, kWidth}, 50.0, at::kDouble)});
  for (const double softcap : {0.0, 3.0}) {
    const TokenScores scores =
        TokenLogProbs(padded.hidden, padded.weight, in.targets, {softcap, 2, kVocab});
    const TokenScores plain = TokenLogProbs(in.hidden, in.weight, in.targets, {softcap, 2, 0});
    EXPECT_LT(RelativeError(scores.log_probs, plain.log_probs), 1e-13);
    EXPECT_LT(RelativeError(scores.entropy, plain.entropy), 1e-13);
    ExpectGradientsMatchDifferences(
        [&](const auto& x) {
          return TokenLogProbs(x[0], x[1], in.targets, {softcap, 2, kVocab}).log_probs;
        },
        {padded.hidden, padded.weight});
  }
}

TEST(VocabHead, LogitsAreFloat32UnderBfloat16) {
  const HeadInputs in = MakeHeadInputs(1, at::kBFloat16);
  const TokenScores scores = TokenLogProbs(in.hidden, in.weight, in.targets, {30, 4, 0});
  EXPECT_EQ(scores.log_probs.scalar_type(), at::kFloat);
  const TokenScores wide =
      TokenLogProbs(in.hidden.to(at::kFloat), in.weight.to(at::kFloat), in.targets, {30, 4, 0});
  EXPECT_LT(RelativeError(scores.log_probs, wide.log_probs), 1e-6);
}

TEST(VocabHead, WidensALargeBfloat16HeadInPieces) {
  at::manual_seed(5);
  const at::Tensor weight = at::randn({40000, 4}).to(at::kBFloat16).set_requires_grad(true);
  const at::Tensor hidden = at::randn({3, 4}).to(at::kBFloat16).set_requires_grad(true);
  const at::Tensor targets = at::tensor({5, 20000, 39999}, at::kLong);
  const at::Tensor ours = TokenLogProbs(hidden, weight, targets, {30, 2, 0}).log_probs;
  const at::Tensor plain = Plain({hidden.to(at::kFloat), weight.to(at::kFloat), targets}, 30);
  EXPECT_LT(RelativeError(ours, plain), 1e-5);
  const auto ours_grad = torch::autograd::grad({ours.sum()}, {hidden, weight});
  const auto plain_grad = torch::autograd::grad({plain.sum()}, {hidden, weight});
  EXPECT_LT(RelativeError(ours_grad[0], plain_grad[0]), 1e-2);
  EXPECT_LT(RelativeError(ours_grad[1], plain_grad[1]), 1e-2);
}

// A reference of another width; logits beyond its cap when `scale` is large.
VocabReference MakeReference(double softcap, double scale = 1) {
  at::manual_seed(6);
  return {at::randn({kRows, 3}, at::kDouble) * scale, at::randn({kVocab, 3}, at::kDouble), softcap};
}

VocabHeadOptions WithReference(double softcap, int64_t chunk, const VocabReference& reference) {
  VocabHeadOptions options{softcap, chunk, 0};
  options.reference = reference;
  return options;
}

// KL(ref || policy) of each row, from whole tensors.
at::Tensor PlainKl(const HeadInputs& in, double softcap, const VocabReference& reference) {
  const at::Tensor ref = at::log_softmax(
      Logits({reference.hidden, reference.head, in.targets}, reference.softcap), -1);
  return (ref.exp() * (ref - at::log_softmax(Logits(in, softcap), -1))).sum(-1);
}

TEST(VocabHead, KlFollowsTheFormulaAndItsDirection) {
  const HeadInputs in = MakeHeadInputs(2);
  const VocabReference reference = MakeReference(4);
  const TokenScores scores =
      TokenLogProbs(in.hidden, in.weight, in.targets, WithReference(3, 3, reference));
  EXPECT_LT(RelativeError(scores.kl, PlainKl(in, 3, reference)), 1e-12);
  EXPECT_LT(RelativeError(scores.log_probs, Plain(in, 3)), 1e-13);
  EXPECT_LT(RelativeError(scores.reference_log_probs,
                          Plain({reference.hidden, reference.head, in.targets}, 4)),
            1e-13);
  const TokenScores swapped = TokenLogProbs(reference.hidden, reference.head, in.targets,
                                            WithReference(4, 3, {in.hidden, in.weight, 3}));
  EXPECT_GT(RelativeError(swapped.kl, scores.kl), 0.05);
}

TEST(VocabHead, KlToItselfIsZero) {
  const HeadInputs in = MakeHeadInputs(2, at::kFloat);
  const TokenScores scores = TokenLogProbs(in.hidden, in.weight, in.targets,
                                           WithReference(3, 2, {in.hidden, in.weight, 3}));
  EXPECT_EQ(scores.kl.abs().max().item<float>(), 0);
}

TEST(VocabHead, KlHasExactGradientsWhateverTheChunk) {
  for (const int64_t chunk : {1, 3, 256}) {
    for (const double softcap : {0.0, 3.0}) {
      const HeadInputs in = MakeHeadInputs(2);
      const VocabHeadOptions options = WithReference(softcap, chunk, MakeReference(4));
      ExpectGradientsMatchDifferences(
          [&](const auto& x) {
            const TokenScores scores = TokenLogProbs(x[0], x[1], in.targets, options);
            return scores.kl * at::arange(1, kRows + 1, at::kDouble) - scores.log_probs;
          },
          {in.hidden, in.weight});
      ExpectGradientsMatchDifferences(
          [&](const auto& x) { return TokenLogProbs(x[0], x[1], in.targets, options).kl; },
          {in.hidden, in.weight});
    }
  }
}

// Half of the rows have no gradient of their KL, as under stop-gradient.
TEST(VocabHead, RowsWithoutAKlGradientGetNone) {
  HeadInputs in = MakeHeadInputs(2);
  in.hidden.set_requires_grad(true);
  const TokenScores scores =
      TokenLogProbs(in.hidden, in.weight, in.targets, WithReference(3, 2, MakeReference(0)));
  const auto grad = torch::autograd::grad({scores.kl.narrow(0, 4, 3).sum()}, {in.hidden});
  EXPECT_EQ(grad[0].narrow(0, 0, 4).abs().max().item<double>(), 0);
  EXPECT_GT(grad[0].narrow(0, 4, 3).abs().max().item<double>(), 0);
}

TEST(VocabHead, KlOfHugeLogitsStaysFinite) {
  HeadInputs in = MakeHeadInputs(1000);
  in.hidden.set_requires_grad(true);
  const TokenScores scores =
      TokenLogProbs(in.hidden, in.weight, in.targets, WithReference(0, 2, MakeReference(0, 1000)));
  EXPECT_TRUE(at::isfinite(scores.kl).all().item<bool>());
  const auto grad = torch::autograd::grad({scores.kl.sum()}, {in.hidden});
  EXPECT_TRUE(at::isfinite(grad[0]).all().item<bool>());
}

TEST(VocabHead, KlLeavesPaddedIdsOut) {
  const HeadInputs in = MakeHeadInputs(2);
  const VocabReference reference = MakeReference(4);
  const at::Tensor rows = at::full({3, kWidth}, 50.0, at::kDouble);
  VocabReference padded = reference;
  padded.head = at::cat({reference.head, at::full({3, 3}, 50.0, at::kDouble)});
  VocabHeadOptions options = WithReference(3, 2, padded);
  options.valid_vocab = kVocab;
  const at::Tensor weight = at::cat({in.weight, rows});
  EXPECT_LT(RelativeError(TokenLogProbs(in.hidden, weight, in.targets, options).kl,
                          PlainKl(in, 3, reference)),
            1e-12);
  ExpectGradientsMatchDifferences(
      [&](const auto& x) { return TokenLogProbs(x[0], x[1], in.targets, options).kl; },
      {in.hidden, weight});
}

TEST(VocabHead, TopEntropyRenormalises) {
  const HeadInputs in = MakeHeadInputs(2);
  VocabHeadOptions options{3, 2, 0};
  options.entropy_top = 4;
  const at::Tensor top = TokenLogProbs(in.hidden, in.weight, in.targets, options).entropy_top;
  const at::Tensor kept =
      at::log_softmax(std::get<0>(Logits(in, 3).sort(-1, true)).narrow(1, 0, 4), -1);
  EXPECT_LT(RelativeError(top, -(kept.exp() * kept).sum(-1)), 1e-13);
  options.entropy_top = 100;  // more than the vocabulary: the full entropy
  const TokenScores all = TokenLogProbs(in.hidden, in.weight, in.targets, options);
  EXPECT_LT(RelativeError(all.entropy_top, all.entropy), 1e-13);
}

// Peak bytes of a forward and backward over `rows` rows of a wide vocabulary, 16 at a time.
int64_t PeakBytes(int64_t rows, bool with_reference) {
  constexpr int64_t kWide = 5000;
  at::manual_seed(2);
  const at::Tensor hidden = at::randn({rows, 4}).set_requires_grad(true);
  const at::Tensor weight = at::randn({kWide, 4}).set_requires_grad(true);
  const at::Tensor targets = at::zeros({rows}, at::kLong);
  VocabHeadOptions options{30, 16, 0};
  if (with_reference) options.reference = {at::randn({rows, 4}), at::randn({kWide, 4}), 30};
  const MemoryWatch watch;
  const TokenScores scores = TokenLogProbs(hidden, weight, targets, options);
  at::Tensor loss = scores.log_probs.sum();
  if (with_reference) loss = loss + scores.kl.sum();
  torch::autograd::grad({loss}, {hidden, weight});
  return watch.peak_bytes();
}

// The header's promise: a few buffers of chunk_rows * vocab, whatever the number of rows.
TEST(VocabHead, MemoryIsThatOfAChunk) {
  constexpr int64_t kChunkBytes = 16 * 5000 * 4, kGradient = 5000 * 4 * 4;
  for (const bool kernels : {false, true}) {
    const FastPathsInScope paths({kernels, kernels, kernels});
    const double buffers = kernels ? 1 : 3;
    for (const bool with_reference : {false, true}) {
      const int64_t few = PeakBytes(32, with_reference), many = PeakBytes(512, with_reference);
      EXPECT_LT(many - few, kChunkBytes / 4) << with_reference;
      EXPECT_LT(many, (buffers + (with_reference ? 1.3 : 0.3)) * kChunkBytes + kGradient)
          << with_reference;
      EXPECT_GT(few, (kernels ? 1 : 2) * kChunkBytes);  // the watch sees what it should
    }
  }
}

// Rows 0, 1, 4, 5 and 2, 3, 6: as two pairs whose chosen sides come first.
std::vector<RowChunk> PairChunks() { return {{{0, 2}, {4, 2}}, {{2, 2}, {6, 1}}}; }

TEST(VocabHead, ChunksOfSeveralRangesGiveTheSameScores) {
  const HeadInputs in = MakeHeadInputs(2);
  VocabHeadOptions options = WithReference(3, 2, MakeReference(4));
  const TokenScores plain = TokenLogProbs(in.hidden, in.weight, in.targets, options);
  options.chunks = PairChunks();
  const TokenScores scores = TokenLogProbs(in.hidden, in.weight, in.targets, options);
  EXPECT_LT(RelativeError(scores.log_probs, plain.log_probs), 1e-14);
  EXPECT_LT(RelativeError(scores.entropy, plain.entropy), 1e-14);
  EXPECT_LT(RelativeError(scores.kl, plain.kl), 1e-14);
  EXPECT_LT(RelativeError(scores.reference_log_probs, plain.reference_log_probs), 1e-14);
}

// A loss of all rows: sum of w log p^2 / 2 - 3 w KL, w the row's number from 1.
at::Tensor LossOf(const TokenScores& scores, const at::Tensor& w) {
  const at::Tensor kl = scores.kl.defined() ? (w * scores.kl).sum() : at::zeros({}, w.options());
  return (w * scores.log_probs.square()).sum() / 2 - 3 * kl;
}

struct LossCase {
  bool kl;
  double factor;  // of the gradient that forward is told; 1: the loss's
};

void ExpectGradientsOfTheLoss(const LossCase& c, at::ScalarType type, double bound) {
  const at::Tensor w = at::arange(1, kRows + 1, at::kDouble).to(type);
  VocabHeadOptions options;
  options.softcap = 3;
  const VocabReference reference = MakeReference(4);
  if (c.kl) options.reference = {reference.hidden.to(type), reference.head.to(type), 4};
  const auto gradients = [&] {
    HeadInputs in = MakeHeadInputs(2, type);
    in.hidden.set_requires_grad(true);
    in.weight.set_requires_grad(true);
    const TokenScores scores = TokenLogProbs(in.hidden, in.weight, in.targets, options);
    return torch::autograd::grad({LossOf(scores, w)}, {in.hidden, in.weight});
  };
  const auto plain = gradients();
  options.chunks = PairChunks();
  int64_t asked = 0;
  options.loss = [&](size_t chunk, const ChunkScores& scores) {
    ++asked;
    std::vector<at::Tensor> own;
    for (const RowRange& range : options.chunks[chunk]) {
      own.push_back(w.narrow(0, range.first, range.count));
    }
    const at::Tensor rows = at::cat(own) * c.factor;
    EXPECT_EQ(scores.kl.defined(), c.kl);
    return ChunkGradients{rows * scores.log_probs, c.kl ? -3 * rows : at::Tensor()};
  };
  const auto made = gradients();
  EXPECT_EQ(asked, ActiveFastPaths().one_head ? 2 : 0);
  EXPECT_LT(RelativeError(made[0], plain[0]), bound) << c.kl << " " << c.factor;
  EXPECT_LT(RelativeError(made[1], plain[1]), bound) << c.kl << " " << c.factor;
}

// Also where forward was told another gradient than the loss has: backward then computes.
TEST(VocabHead, MakesTheGradientsOfALossInForward) {
  for (const bool kl : {false, true}) {
    for (const double factor : {1.0, 2.0, 1.001}) {
      ExpectGradientsOfTheLoss({kl, factor}, at::kDouble, 1e-12);
      ExpectGradientsOfTheLoss({kl, factor}, at::kFloat, 2e-5);
    }
  }
}

TEST(VocabHead, ASecondBackwardComputesAgain) {
  HeadInputs in = MakeHeadInputs(2);
  in.hidden.set_requires_grad(true);
  VocabHeadOptions options;
  options.chunks = PairChunks();
  options.loss = [](size_t, const ChunkScores& scores) {
    return ChunkGradients{at::ones_like(scores.log_probs), {}};
  };
  const at::Tensor loss = TokenLogProbs(in.hidden, in.weight, in.targets, options).log_probs.sum();
  const auto first = torch::autograd::grad({loss}, {in.hidden}, {}, /*retain_graph=*/true);
  const auto second = torch::autograd::grad({loss}, {in.hidden});
  EXPECT_LT(RelativeError(second[0], first[0]), 1e-13);
}

TEST(VocabHead, RefusesChunksThatLeaveRowsOut) {
  const HeadInputs in = MakeHeadInputs(1);
  VocabHeadOptions options;
  options.chunks = {{{0, 2}}};
  EXPECT_THROW(TokenLogProbs(in.hidden, in.weight, in.targets, options), c10::Error);
}

TEST(VocabHead, RefusesAReferenceWithAnotherVocabulary) {
  const HeadInputs in = MakeHeadInputs(1);
  VocabReference reference = MakeReference(0);
  reference.head = at::randn({kVocab + 1, 3}, at::kDouble);
  EXPECT_THROW(TokenLogProbs(in.hidden, in.weight, in.targets, WithReference(0, 2, reference)),
               c10::Error);
}

TEST(VocabHead, RefusesWhatDoesNotFit) {
  const HeadInputs in = MakeHeadInputs(1);
  EXPECT_THROW(TokenLogProbs(in.hidden, in.weight, in.targets + 10, {}), c10::Error);
  EXPECT_THROW(TokenLogProbs(in.hidden, in.weight, in.targets, {0, 2, 12}), c10::Error);
  EXPECT_THROW(TokenLogProbs(in.hidden, in.weight.to(at::kFloat), in.targets, {}), c10::Error);
}

}  // namespace
}  // namespace fpo::train
