#include "train/findings/find_copies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/findings/styled_pairs.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;

// A pair of 60 tokens a response, of its own unless the seed is the same.
TokenPair LongPair(uint64_t seed) {
  TokenPair pair;
  for (int32_t i = 0; i < 60; ++i) {
    const auto number = static_cast<int32_t>(seed * 7919);
    pair.chosen.push_back(4 + (number + i * i * 31) % 50021);
    pair.rejected.push_back(4 + (number * 3 + i * i * 17) % 50021);
  }
  pair.prompt = {2, static_cast<int32_t>(4 + seed)};
  pair.row = static_cast<int64_t>(seed);
  return pair;
}

TokenPair Swapped(TokenPair pair) {
  std::swap(pair.chosen, pair.rejected);
  return pair;
}

TokenPair Changed(TokenPair pair) {
  pair.chosen.back() += 1;
  return pair;
}

struct FoundCopies {
  Findings findings;
  std::vector<int64_t> groups;
};

FoundCopies FindIn(const std::vector<TokenPair>& train, const std::vector<TokenPair>& eval) {
  const TinyRun tiny;
  WriteTokenPairs(train, tiny.Path("a"));
  WriteTokenPairs(eval, tiny.Path("b"));
  const TokenFile first = *TokenFile::Open(tiny.Path("a"));
  const TokenFile second = *TokenFile::Open(tiny.Path("b"));
  const auto tokenizer = Tokenizer::Absent({absl::NotFoundError("none"), 60000, 2, 1});
  FoundCopies found;
  found.groups = FindCopies(first, second, PairTexts(first, second, tokenizer), &found.findings);
  return found;
}

TEST(FindCopies, CopiesContradictionsAndLikenessesAreToldApart) {
  const TokenPair a = LongPair(1), b = LongPair(2), c = LongPair(3);
  const auto [found, groups] =
      FindIn({a, b, a, Swapped(a), c, Changed(b), Swapped(Changed(c))}, {});
  EXPECT_EQ(found.repeated.repeated, 2);
  EXPECT_EQ(found.repeated.contradictions, 3);
  EXPECT_EQ(found.near_pairs, 2) << "copies are not counted again";
  EXPECT_EQ(found.near_opposite, 1);
  ASSERT_EQ(found.near.size(), 2u);
  EXPECT_LT(found.near[0].jaccard, 1);
  EXPECT_GE(found.near[0].jaccard, 0.8);
  ASSERT_EQ(found.contradictions.size(), 1u);
  EXPECT_EQ(found.contradictions[0].first.index, 0);
  EXPECT_EQ(found.contradictions[0].second.index, 3);
  EXPECT_TRUE(found.contradictions[0].is_opposite);
  EXPECT_THAT(groups, ElementsAre(0, 1, 0, 0, 4, 1, 4));
}

TEST(FindCopies, LeaksAreEvaluationPairsThatWereTrainedOn) {
  const TokenPair a = LongPair(1), b = LongPair(2);
  TokenPair same_prompt = LongPair(9);
  same_prompt.prompt = a.prompt;
  const auto [found, groups] =
      FindIn({a, b, LongPair(3)}, {LongPair(7), Swapped(a), Changed(b), same_prompt, LongPair(7)});
  EXPECT_EQ(found.shared.pairs, 1);
  EXPECT_EQ(found.shared.swapped, 1);
  EXPECT_EQ(found.shared.prompts, 3);
  EXPECT_EQ(found.near_leaks, 1);
  EXPECT_EQ(found.near_pairs, 0) << "copies within the evaluation data are none of training";
  ASSERT_EQ(found.copies.size(), 1u);
  EXPECT_TRUE(found.copies[0].is_opposite);
  EXPECT_TRUE(found.copies[0].second.is_eval);
  EXPECT_EQ(found.copies[0].second.index, 1);
  ASSERT_EQ(found.leaks.size(), 1u);
  EXPECT_EQ(found.leaks[0].first.row, 2);
  EXPECT_FALSE(found.leaks[0].is_opposite);
  EXPECT_THAT(groups, ElementsAre(0, 1, 2));
}

TEST(FindCopies, PairsOfOnePromptAreOneGroup) {
  TokenPair other = LongPair(5);
  other.prompt = LongPair(4).prompt;
  EXPECT_THAT(FindIn({LongPair(4), LongPair(6), other}, {}).groups, ElementsAre(0, 1, 0));
}

}  // namespace
}  // namespace fpo::train
