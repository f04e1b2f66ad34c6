#include "train/reference/scorer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/train/support/float64_run.h"
#include "tests/train/support/memory_limit.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

std::vector<Record> ScoreWith(const TinyRun& tiny, int64_t tokens_per_batch, int64_t top = 0) {
  auto model = LoadModel({tiny.Path("model"), "float32"});
  Scorer::Options options;
  options.saes = {InFloat64(*LoadSae({tiny.Path("sae"), {}, ""}, model->model.config(), at::kCPU))};
  options.tokens_per_batch = tokens_per_batch;
  options.top_features = top;
  static const std::vector<TokenPair> pairs = RandomPairs(10, 21);
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  auto records = Scorer(InFloat64(model->model), options).Score(sequences, {});
  EXPECT_TRUE(records.ok()) << records.status();
  return *std::move(records);
}

// How responses are batched must not matter. Records keep features as float32, so that
// neighbours may round to either side.
TEST(Scorer, BatchesDoNotChangeRecords) {
  const TinyRun tiny;
  const auto alone = ScoreWith(tiny, 1);
  const auto together = ScoreWith(tiny, 100000);
  ASSERT_EQ(alone.size(), together.size());
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(alone[i].sum_logp, together[i].sum_logp, 1e-12 * std::abs(alone[i].sum_logp));
    EXPECT_EQ(alone[i].tokens, together[i].tokens);
    ASSERT_EQ(alone[i].features[0].size(), together[i].features[0].size());
    for (size_t f = 0; f < alone[i].features[0].size(); ++f) {
      EXPECT_EQ(alone[i].features[0][f].first, together[i].features[0][f].first);
      EXPECT_FLOAT_EQ(alone[i].features[0][f].second, together[i].features[0][f].second);
    }
  }
}

TEST(Scorer, ABatchThatDoesNotFitIntoMemoryIsCut) {
  const TinyRun tiny;
  const Gemma model = InFloat64(LoadModel({tiny.Path("model"), "float32"})->model);
  const std::vector<TokenPair> pairs = RandomPairs(10, 21);
  std::vector<Sequence> sequences;
  for (const TokenPair& pair : pairs) sequences.push_back({pair.prompt, pair.chosen});
  int64_t peak = 0;
  std::vector<std::string> warnings;
  const auto score = [&](int64_t tokens, int64_t bytes) {
    Scorer::Options options;
    options.tokens_per_batch = tokens;
    options.halve = true;
    options.warn = [&](const std::string& message) { warnings.push_back(message); };
    const Scorer scorer(model, options);
    const MemoryLimit limit(bytes);
    auto records = scorer.Score(sequences, {});
    EXPECT_TRUE(records.ok()) << records.status();
    peak = limit.peak_bytes();
    return *std::move(records);
  };
  const std::vector<Record> alone = score(1, MemoryLimit::kNone);
  const int64_t single = peak;
  score(100000, MemoryLimit::kNone);
  ASSERT_LT(single, peak);
  ASSERT_TRUE(warnings.empty());
  const std::vector<Record> fitted = score(100000, (single + peak) / 2);
  EXPECT_FALSE(warnings.empty());
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(fitted[i].sum_logp, alone[i].sum_logp, 1e-12 * std::abs(alone[i].sum_logp));
    EXPECT_EQ(fitted[i].tokens, alone[i].tokens);
  }
}

TEST(Scorer, TopKeepsTheLargestSortedByIndex) {
  const auto entries = SparseFeatures(at::tensor({0.f, 3.f, 1.f, 3.f, 2.f}), 3);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0], (std::pair<uint32_t, float>{1, 3.f}));
  EXPECT_EQ(entries[1], (std::pair<uint32_t, float>{3, 3.f}));
  EXPECT_EQ(entries[2], (std::pair<uint32_t, float>{4, 2.f}));
  EXPECT_EQ(SparseFeatures(at::tensor({0.f, 3.f, 1.f}), 0).size(), 2u);
  const TinyRun tiny;
  for (const Record& record : ScoreWith(tiny, 1000, 4)) {
    EXPECT_LE(record.features[0].size(), 4u);
  }
}

TEST(Scorer, StopsWhenAsked) {
  const TinyRun tiny;
  auto model = LoadModel({tiny.Path("model"), "float32"});
  const std::vector<TokenPair> pairs = RandomPairs(4, 3);
  const Scorer scorer(model->model, {{}, 0, 1});
  const auto records =
      scorer.Score({{pairs[0].prompt, pairs[0].chosen}, {pairs[1].prompt, pairs[1].chosen}},
                   [] { return false; });
  EXPECT_EQ(ExitCodeOf(records.status()), ExitCode::kStopped);
}

}  // namespace
}  // namespace fpo::train
