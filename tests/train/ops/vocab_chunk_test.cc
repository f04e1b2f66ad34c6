#include "train/ops/vocab_chunk.h"

#include <ATen/ATen.h>

#include <limits>

#include "gtest/gtest.h"
#include "tests/train/ops/finite_difference.h"

namespace fpo::train {
namespace {

TEST(VocabChunk, CapsLogitsAndGivesTheCapsDerivative) {
  at::manual_seed(3);
  const at::Tensor hidden = at::randn({2, 4}, at::kDouble), head = at::randn({5, 4}, at::kDouble);
  VocabHeadOptions options;
  options.softcap = 1.5;
  VocabChunk chunk(hidden, head, options);
  const at::Tensor capped = (hidden.mm(head.t()) / 1.5).tanh() * 1.5;
  EXPECT_LT(RelativeError(chunk.logits(), capped), 1e-14);
  EXPECT_LT(RelativeError(chunk.LogNormalizer(), capped.exp().sum(-1).log()), 1e-13);
  at::Tensor gradient = at::ones({2, 5}, at::kDouble);
  chunk.ApplySoftcapDerivative(&gradient);
  EXPECT_LT(RelativeError(gradient, 1 - (capped / 1.5).square()), 1e-13);
}

TEST(VocabChunk, TurnsIntoLogProbsThatSumToOne) {
  at::manual_seed(3);
  VocabHeadOptions options;
  options.valid_vocab = 4;  // the fifth id is padding
  VocabChunk chunk(at::randn({2, 4}, at::kDouble), at::randn({5, 4}, at::kDouble), options);
  const at::Tensor log_p = chunk.ToLogProbs(chunk.LogNormalizer());
  EXPECT_LT((log_p.exp().sum(-1) - 1).abs().max().item<double>(), 1e-14);
  EXPECT_TRUE(log_p.select(1, 4).eq(-std::numeric_limits<double>::infinity()).all().item<bool>());
}

TEST(VocabChunk, WidensBfloat16ButNotFloat64) {
  const at::Tensor narrow = at::ones({2, 3}, at::kBFloat16);
  EXPECT_EQ(VocabChunk(narrow, narrow, {}).logits().scalar_type(), at::kFloat);
  EXPECT_EQ(WideType(at::ones({1}, at::kDouble)), at::kDouble);
}

}  // namespace
}  // namespace fpo::train
