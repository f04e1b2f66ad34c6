#include "common/evaluation/bradley_terry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace fpo {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kModels = {"base", "b", "c", "d"};

TEST(BradleyTerryTest, GradesAsJudgesWriteThem) {
  EXPECT_EQ(ParseGrade("My final verdict is: [[A>>B]]"), Grade::kMuchBetter);
  EXPECT_EQ(ParseGrade("[[A>B]] I say [[A>B]]"), Grade::kBetter);
  EXPECT_EQ(ParseGrade("[[A=B]]"), Grade::kTie);
  EXPECT_EQ(ParseGrade("tie: [B=A]"), Grade::kTie);
  EXPECT_EQ(ParseGrade("[B>A]"), Grade::kWorse);
  EXPECT_EQ(ParseGrade("[[B>>A]] rather than [A>B]"), Grade::kMuchWorse);
  for (const char* text : {"", "A>B", "[[A>B]] or [[B>A]]", "[[A>>>B]]", "[[A>B", "[[a>b]]"}) {
    EXPECT_FALSE(ParseGrade(text).has_value()) << text;
  }
}

TEST(BradleyTerryTest, AGradeIsAShareAndBack) {
  double share = 1;
  for (const Grade grade :
       {Grade::kMuchBetter, Grade::kBetter, Grade::kTie, Grade::kWorse, Grade::kMuchWorse}) {
    EXPECT_EQ(ShareOf(grade), share);
    EXPECT_EQ(GradeOfShare(share), grade);
    share -= 0.25;
  }
  EXPECT_FALSE(GradeOfShare(0.9).has_value());
}

TEST(BradleyTerryTest, AMuchBetterAnswerCountsThreeTimes) {
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kMuchBetter).weight, 3);
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kMuchBetter).first_wins, 1);
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kMuchWorse).weight, 3);
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kWorse).first_wins, 0);
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kWorse).weight, 1);
  EXPECT_EQ(BattleOf(0, 0, 1, Grade::kTie).first_wins, 0.5);
}

TEST(BradleyTerryTest, AgainstTheBaselineAloneItIsTheShareOfWins) {
  const std::vector<Battle> battles = {BattleOf(0, 0, 1, Grade::kMuchBetter),
                                       BattleOf(0, 1, 0, Grade::kBetter),
                                       BattleOf(1, 0, 1, Grade::kTie)};
  const auto scores = ArenaScores({"base", "b"}, battles, 0, {.rounds = 50});
  ASSERT_TRUE(scores.ok());
  EXPECT_DOUBLE_EQ((*scores)[0].percent, 50);
  EXPECT_NEAR((*scores)[1].percent, 100 * 1.5 / 5, 1e-9);
}

// tests/golden/make_evaluation_goldens.py: scikit-learn's fit without a penalty, to its tolerance.
TEST(BradleyTerryTest, AllAgainstAllIsTheMaximumLikelihood) {
  std::vector<Battle> battles;
  for (int a = 0; a < 4; ++a) {
    for (int b = a + 1; b < 4; ++b) {
      battles.push_back({a, a, b, 1, 3.0 + (5 * a + 3 * b) % 7});
      battles.push_back({b, a, b, 0, 2.0 + (2 * a + b) % 5});
    }
  }
  const auto strengths = FitBradleyTerry(kModels, battles, 0);
  ASSERT_TRUE(strengths.ok());
  const double golden[] = {0, -0.4202429862380552, -0.46059894260532136, -0.6620004239975006};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR((*strengths)[i], golden[i], 1e-6) << i;
  // Which model is the baseline moves all strengths alike.
  const auto other = FitBradleyTerry(kModels, battles, 2);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR((*other)[i] - (*other)[0], (*strengths)[i] - (*strengths)[0], 1e-9);
  }
}

TEST(BradleyTerryTest, AlwaysWinningIsBounded) {
  const auto scores =
      ArenaScores({"base", "b"}, {BattleOf(0, 1, 0, Grade::kBetter)}, 0, {.rounds = 5});
  ASSERT_TRUE(scores.ok());
  EXPECT_NEAR((*scores)[1].percent, 100, 1e-9);
  EXPECT_NEAR((*scores)[1].interval.low, 100, 1e-9);
}

TEST(BradleyTerryTest, AModelWithoutAWayToTheBaselineIsNamed) {
  const auto scores =
      FitBradleyTerry(kModels, {BattleOf(0, 0, 1, Grade::kTie), BattleOf(0, 2, 3, Grade::kTie)}, 0);
  ASSERT_FALSE(scores.ok());
  EXPECT_THAT(std::string(scores.status().message()),
              HasSubstr("connects c with the baseline base"));
}

TEST(BradleyTerryTest, TheIntervalHoldsTheScore) {
  std::vector<Battle> battles;
  for (int question = 0; question < 100; ++question) {
    battles.push_back(BattleOf(question, 0, 1, question % 3 ? Grade::kWorse : Grade::kBetter));
    battles.push_back(BattleOf(question, 1, 0, question % 4 ? Grade::kBetter : Grade::kTie));
  }
  const auto scores = ArenaScores({"base", "b"}, battles, 0, {.rounds = 200});
  ASSERT_TRUE(scores.ok());
  EXPECT_LT((*scores)[1].interval.low, (*scores)[1].percent);
  EXPECT_GT((*scores)[1].interval.high, (*scores)[1].percent);
  EXPECT_EQ((*scores)[0].interval.low, 50);
  const auto again = ArenaScores({"base", "b"}, battles, 0, {.rounds = 200});
  EXPECT_EQ((*again)[1].interval.low, (*scores)[1].interval.low);
}

}  // namespace
}  // namespace fpo
