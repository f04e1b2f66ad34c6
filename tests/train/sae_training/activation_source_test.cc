#include "train/sae_training/activation_source.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/types/span.h"
#include "tests/train/support/tiny_run.h"
#include "train/data/context_id.h"
#include "train/ops/fast_paths.h"

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

// Weights that make neighbours matter.
Gemma Lively(Architecture architecture, at::ScalarType dtype) {
  const Gemma model = Gemma::Random(TinyForTest(architecture), 5, dtype);
  for (const auto& [name, weight] : model.Parameters()) {
    if (weight.dim() > 1) weight.mul_(20);
  }
  return model;
}

// Pairs that differ from their second token on, with context in some responses.
std::vector<TokenPair> DistinctPairs(int64_t count) {
  std::vector<TokenPair> pairs = RandomPairs(count, 2);
  for (size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].prompt[1] = static_cast<int32_t>(4 + i);
    pairs[i].rejected[0] = pairs[i].chosen[0] == 4 ? 5 : 4;
    if (i % 3 == 0) pairs[i].chosen[1] = ContextId(pairs[i].chosen[1]);
  }
  return pairs;
}

std::vector<Sequence> WithBothSides(const std::vector<TokenPair>& pairs) {
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) {
    sequences.push_back({pair.prompt, pair.chosen});
    sequences.push_back({pair.prompt, pair.rejected});
  }
  return sequences;
}

// A model's rows of one sequence alone, [length, width].
at::Tensor RowsOf(const Gemma& model, const Sequence& sequence, const Tap& tap) {
  std::vector<int64_t> ids(sequence.prompt.begin(), sequence.prompt.end());
  for (const int32_t id : sequence.response) ids.push_back(TokenOf(id));
  ForwardOptions forward;
  forward.taps = {tap};
  return model.Forward(at::tensor(ids).unsqueeze(0), forward).sites[0][0];
}

// In one pass each row of a prompt comes twice, each of a response once, and nothing else does.
TEST(ActivationSource, EveryRowComesOnceForEachResponse) {
  const Gemma model = Lively(Architecture::kGemma2, at::kDouble);
  const std::vector<TokenPair> pairs = DistinctPairs(9);
  ActivationSource::Options options = Options(3);
  options.rows_wanted = 100000;
  options.buffer_rows = 4096;
  ActivationSource source(model, WithBothSides(pairs), options);
  std::vector<at::Tensor> expected;
  std::vector<int64_t> times;
  for (const TokenPair& pair : pairs) {
    const auto prompt = static_cast<int64_t>(pair.prompt.size());
    const at::Tensor chosen = RowsOf(model, {pair.prompt, pair.chosen}, options.tap);
    const at::Tensor rejected = RowsOf(model, {pair.prompt, pair.rejected}, options.tap);
    expected.push_back(chosen.slice(0, 1));
    expected.push_back(rejected.slice(0, prompt));
    times.insert(times.end(), prompt - 1, 2);
    times.insert(times.end(), chosen.size(0) + rejected.size(0) - 2 * prompt, 1);
  }
  const at::Tensor all = at::cat(expected).to(at::kFloat);
  const at::Tensor rows = source.Next(2048).value();  // more than there are
  const at::Tensor distance = (rows.unsqueeze(1) - all.unsqueeze(0)).abs().amax(2);
  EXPECT_LT(distance.amin(1).max().item<double>(), 1e-4 * all.abs().max().item<double>());
  const at::Tensor came = at::bincount(distance.argmin(1), {}, all.size(0));
  EXPECT_TRUE(at::equal(came, at::tensor(times))) << came;
  EXPECT_EQ(source.rows_read(), rows.size(0));
}

// The plain way pads and computes a prompt for each response; the rows and their order are the
// same.
TEST(ActivationSource, PackedRowsAreThePaddedOnesInTheirOrder) {
  const std::vector<TokenPair> pairs = DistinctPairs(12);
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    for (const Site site : {Site::kResidPost, Site::kMlpOut, Site::kAttnZ}) {
      for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
        const Gemma model = Lively(architecture, dtype);
        ActivationSource::Options options = Options(4);
        options.tap = {1, site};
        ActivationSource fast(model, WithBothSides(pairs), options);
        ActivationSource plain(model, WithBothSides(pairs), options);
        for (int i = 0; i < 30; ++i) {
          const FastPathsInScope none(FastPaths::None());
          const at::Tensor expected = plain.Next(16).value();
          const FastPathsInScope all(FastPaths{});
          const at::Tensor rows = fast.Next(16).value();
          const double error = (rows - expected).abs().max().item<double>();
          const double bound = dtype == at::kDouble ? 1e-6 : 2e-5;
          EXPECT_LT(error, bound * expected.abs().max().item<double>())
              << i << " " << SiteName(site);
        }
        EXPECT_EQ(fast.rows_read(), plain.rows_read());
        EXPECT_LT(fast.tokens_computed(), plain.tokens_computed());
      }
    }
  }
}

TEST(ActivationSource, PackedBatchesComputeAPromptOnce) {
  const FastPathsInScope fast(FastPaths{});
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = DistinctPairs(6);
  int64_t tokens = 0;
  for (const TokenPair& pair : pairs) {
    tokens += static_cast<int64_t>(pair.prompt.size() + pair.chosen.size() + pair.rejected.size());
  }
  ActivationSource::Options options = Options(1);
  options.rows_wanted = 100000;
  options.tokens_per_batch = 1000;
  ActivationSource source(model, WithBothSides(pairs), options);
  ASSERT_TRUE(source.Next(16).ok());
  EXPECT_EQ(source.tokens_computed(), tokens);
}

// The responses of a pair meet in a batch, but for those that its end tears apart.
TEST(ActivationSource, PairsStayTogether) {
  const FastPathsInScope fast(FastPaths{});
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<TokenPair> pairs = DistinctPairs(50);
  int64_t prompts = 0, tokens = 0;
  for (const TokenPair& pair : pairs) {
    prompts += static_cast<int64_t>(pair.prompt.size());
    tokens += static_cast<int64_t>(pair.prompt.size() + pair.chosen.size() + pair.rejected.size());
  }
  ActivationSource::Options options = Options(1);
  options.rows_wanted = 100000;
  ActivationSource source(model, WithBothSides(pairs), options);
  ASSERT_TRUE(source.Next(16).ok());
  EXPECT_GE(source.tokens_computed(), tokens);
  EXPECT_LT(source.tokens_computed(), tokens + prompts / 2);
}

TEST(ActivationSource, APassIsNotInTheOrderOfTheData) {
  const Gemma model = Lively(Architecture::kGemma2, at::kDouble);
  const std::vector<TokenPair> pairs = DistinctPairs(50);
  ActivationSource source(model, WithBothSides(pairs), Options(1));
  const at::Tensor rows = source.Next(32).value();  // of a buffer of some five pairs
  int64_t early = 0;
  const std::vector<Sequence> sequences = WithBothSides(pairs);
  for (const Sequence& sequence : absl::MakeSpan(sequences).first(20)) {
    const at::Tensor own = RowsOf(model, sequence, {1, Site::kResidPost}).to(at::kFloat);
    const at::Tensor distance = (rows.unsqueeze(1) - own.unsqueeze(0)).abs().amax(2).amin(1);
    early += distance.lt(1e-4).sum().item<int64_t>();
  }
  EXPECT_LT(early, 24);
}

// No prompt, no response, one token, more than a batch holds: each as it is computed alone.
TEST(ActivationSource, SequencesOfOddLengths) {
  const Gemma model = Lively(Architecture::kGemma3, at::kDouble);
  const std::vector<int32_t> bos = {2}, none, text = {2, 9, 8}, other = {2, 7, 6, 5};
  std::vector<int32_t> book = {2};
  for (int32_t i = 0; i < 50; ++i) book.push_back(10 + i);
  for (const std::vector<Sequence>& sequences :
       {std::vector<Sequence>{{bos, none}, {text, none}, {bos, book}, {book, text}, {text, none}},
        std::vector<Sequence>{{none, text}, {bos, other}, {other, none}}}) {
    ActivationSource::Options options = Options(3);
    options.rows_wanted = 100000;
    options.buffer_rows = 1024;
    ActivationSource source(model, sequences, options);
    const at::Tensor rows = source.Next(512).value();
    int64_t count = 0;
    for (const Sequence& sequence : sequences) {
      const at::Tensor expected = RowsOf(model, sequence, options.tap).slice(0, 1).to(at::kFloat);
      count += expected.size(0);
      for (const at::Tensor& row : expected.unbind()) {
        EXPECT_LT((rows - row).abs().amax(1).min().item<double>(),
                  1e-6 * row.abs().max().item<double>());
      }
    }
    EXPECT_EQ(rows.size(0), count);
  }
}

TEST(ActivationSource, NothingToReadIsAnError) {
  const Gemma model = Gemma::Random(TinyForTest(), 5, at::kFloat);
  const std::vector<int32_t> bos = {2}, none;
  ActivationSource source(model, {{bos, none}}, Options(1));
  EXPECT_FALSE(source.Next(8).ok());
}

}  // namespace
}  // namespace fpo::train
