#include "train/sae_training/activation_source.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

std::vector<Sequence> Sequences(const std::vector<TokenPair>& pairs) {
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  return sequences;
}

ActivationSource::Options Options(uint64_t seed) {
  ActivationSource::Options options;
  options.tap = {1, Site::kResidPost};
  options.buffer_rows = 64;
  options.tokens_per_batch = 40;
  options.seed = seed;
  return options;
}

// Every row is the activation of a real token that is not a sequence's first one.
TEST(ActivationSource, RowsAreOfRealTokensWithoutBos) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = RandomPairs(3, 2);
  ActivationSource source(model, Sequences(pairs), Options(1));
  const auto rows = source.Next(16);
  ASSERT_TRUE(rows.ok()) << rows.status();
  std::vector<at::Tensor> expected;
  for (const TokenPair& pair : pairs) {
    std::vector<int64_t> ids(pair.prompt.begin(), pair.prompt.end());
    ids.insert(ids.end(), pair.chosen.begin(), pair.chosen.end());
    ForwardOptions forward;
    forward.taps = {{1, Site::kResidPost}};
    const at::Tensor site = model.Forward(at::tensor(ids).unsqueeze(0), forward).sites[0][0];
    expected.push_back(site.narrow(0, 1, site.size(0) - 1));
  }
  const at::Tensor all = at::cat(expected);
  for (int64_t i = 0; i < rows->size(0); ++i) {
    const double nearest = (all - (*rows)[i]).abs().amax(1).min().item<double>();
    EXPECT_LT(nearest, 1e-5) << i;
  }
}

TEST(ActivationSource, SameSeedSameRows) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = RandomPairs(6, 2);
  ActivationSource a(model, Sequences(pairs), Options(1));
  ActivationSource b(model, Sequences(pairs), Options(1));
  ActivationSource c(model, Sequences(pairs), Options(2));
  for (int i = 0; i < 5; ++i) {
    const at::Tensor rows = *a.Next(16);
    EXPECT_TRUE(at::equal(rows, *b.Next(16)));
    EXPECT_FALSE(at::equal(rows, *c.Next(16)));
  }
}

TEST(ActivationSource, RowsThatFitAreComputedOnce) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = RandomPairs(6, 2);
  int64_t rows = 0;
  for (const Sequence& sequence : Sequences(pairs)) rows += sequence.length() - 1;
  ActivationSource::Options options = Options(1);
  options.rows_wanted = 1000;
  ActivationSource source(model, Sequences(pairs), options);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(source.Next(16)->size(0), 16);
  EXPECT_EQ(source.rows_read(), rows);
  options.memory_bytes_max = 100;
  ActivationSource streaming(model, Sequences(pairs), options);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(streaming.Next(16)->size(0), 16);
  EXPECT_GT(streaming.rows_read(), 900);
}

TEST(ActivationSource, NothingToReadIsAnError) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<int32_t> bos = {2}, none;
  ActivationSource source(model, {{bos, none}}, Options(1));
  EXPECT_FALSE(source.Next(8).ok());
}

}  // namespace
}  // namespace fpo::train
