#include "train/generate/token_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace fpo::train {
namespace {

std::map<int32_t, double> Shares(const std::vector<float>& logits, const Sampling& sampling,
                                 int draws = 20000) {
  std::map<int32_t, double> shares;
  AnswerRandom random(1, 2);
  for (int i = 0; i < draws; ++i) shares[*ChooseToken(logits, sampling, &random)] += 1.0 / draws;
  return shares;
}

TEST(TokenChoice, TemperatureZeroIsTheMostLikely) {
  AnswerRandom random(1, 1), untouched(1, 1);
  EXPECT_EQ(ChooseToken({{0.5f, 2.0f, 2.0f, 1.0f}}, {}, &random), 1);
  EXPECT_EQ(random.Next(), untouched.Next());
}

TEST(TokenChoice, SharesFollowTheTemperature) {
  const std::vector<float> logits = {0, 1, 2};
  const auto shares = Shares(logits, {2.0, 0, 1});
  const double total = 1 + std::exp(0.5) + std::exp(1.0);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(shares.at(i), std::exp(i / 2.0) / total, 0.015) << i;
}

TEST(TokenChoice, TopKKeepsTheKBestAndTies) {
  EXPECT_EQ(Shares({5, 1, 4, 4, 0}, {1, 2, 1}).size(), 3u);
  EXPECT_EQ(Shares({5, 1, 4, 3, 0}, {100, 2, 1}).size(), 2u);
  EXPECT_EQ(Shares({5, 1, 4, 3, 0}, {100, 9, 1}).size(), 5u);
}

TEST(TokenChoice, TopPKeepsTheFewestWithThatProbability) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  EXPECT_EQ(Shares(logits, {1, 0, 0.4}).size(), 1u);
  EXPECT_EQ(Shares(logits, {1, 0, 0.6}).size(), 2u);
  const auto three = Shares(logits, {1, 0, 0.9});
  EXPECT_EQ(three.size(), 3u);
  EXPECT_NEAR(three.at(0), 0.5 / 0.95, 0.015);
  EXPECT_EQ(Shares(logits, {1, 2, 0.99}).size(), 2u);  // of what top-k left
}

TEST(TokenChoice, TopPOverManyEqualOnes) {
  const std::vector<float> logits(4000, 1.0f);
  int32_t largest = 0;
  for (const auto& [id, share] : Shares(logits, {1, 0, 0.5}, 3000)) largest = id;
  EXPECT_LT(largest, 2000);  // the smallest ids, which make up the half
  EXPECT_GT(largest, 1800);
}

TEST(TokenChoice, NotFiniteIsNoChoice) {
  AnswerRandom random(1, 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(ChooseToken({{0.5f, nan}}, {}, &random), std::nullopt);
  EXPECT_EQ(ChooseToken({{0.5f, nan}}, {1, 0, 1}, &random), std::nullopt);
}

TEST(AnswerRandomTest, DependsOnSeedAndIndexOnly) {
  AnswerRandom a(7, 3), b(7, 3), other(7, 4), seed(8, 3);
  const double first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, other.Next());
  EXPECT_NE(first, seed.Next());
  double sum = 0;
  for (int i = 0; i < 10000; ++i) sum += a.Next();
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace fpo::train
