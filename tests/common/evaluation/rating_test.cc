#include "common/evaluation/rating.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fpo {
namespace {

TEST(RatingTest, TheFirstDoubleBracketCounts) {
  EXPECT_EQ(ParseRating("It is fine. Rating: [[7]]"), 7.0);
  EXPECT_EQ(ParseRating("[3] of them; Rating: [[7.5]] and [[2]]"), 7.5);
  EXPECT_EQ(ParseRating("Rating: [8]"), 8.0);
  EXPECT_EQ(ParseRating("[[7] ]"), 7.0);  // FastChat reads single brackets then
  EXPECT_EQ(ParseRating("[[rating]] is [[10]]"), 10.0);
  for (const char* text : {"", "7", "Rating: 7", "[[eleven]]", "[[11]]", "[[0]]", "[[7"}) {
    EXPECT_FALSE(ParseRating(text).has_value()) << text;
  }
}

TEST(RatingTest, MeansOfTurnsAndOfAll) {
  const std::vector<TurnRatings> ratings = {{8, 6}, {9, std::nullopt}, {7, 3}};
  const MtBenchScore score = MtBenchScoreOf(ratings, {});
  EXPECT_DOUBLE_EQ(score.first, 8);
  EXPECT_DOUBLE_EQ(score.second, 4.5);
  EXPECT_DOUBLE_EQ(score.average, 6.6);
  EXPECT_EQ(score.ratings, 5);
  EXPECT_EQ(score.missing, 1);
  EXPECT_GE(score.interval.low, 5);
  EXPECT_LE(score.interval.high, 9);
  EXPECT_LT(score.interval.low, score.interval.high);
}

TEST(RatingTest, NoRatingIsNoNumber) {
  const MtBenchScore score = MtBenchScoreOf(std::vector<TurnRatings>(2), {});
  EXPECT_TRUE(std::isnan(score.average));
  EXPECT_EQ(score.missing, 4);
}

}  // namespace
}  // namespace fpo
