#include "train/judge/grade_results.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fpo::train {
namespace {

Verdict Graded(std::optional<Grade> grade) {
  Verdict verdict;
  if (grade) verdict.first = ShareOf(*grade);
  return verdict;
}

AnswerPairs Questions(size_t count) {
  AnswerPairs answers;
  answers.baseline = "base";
  answers.model = "m";
  answers.pairs.resize(count);
  return answers;
}

// By hand: the model's wins weigh 3 + 1 + 1/2, the baseline's 3 + 1/2, so by maximum likelihood its
// chance is 4.5 of 8.
TEST(GradeResultsTest, EachOrderIsABattle) {
  const Verdict much_better = Graded(Grade::kMuchBetter), worse = Graded(Grade::kWorse);
  const Verdict tie = Graded(Grade::kTie), none = Graded(std::nullopt);
  // The model was much better where it stood first, better where second, tied, and lost by far.
  const std::vector<PairVerdicts> verdicts = {
      {&worse, &much_better}, {&tie, &none}, {&much_better, nullptr}};
  const auto summary = SummariseGrades(Questions(3), verdicts, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->counts, (std::array<int64_t, 5>{1, 1, 1, 0, 1}));
  EXPECT_NEAR(summary->score.percent, 100 * 4.5 / 8, 1e-6);
  EXPECT_LE(summary->score.interval.low, summary->score.percent);
}

TEST(GradeResultsTest, WithoutAGradeThereIsNoScore) {
  const Verdict none = Graded(std::nullopt);
  EXPECT_FALSE(SummariseGrades(Questions(1), {{&none, &none}}, {}).ok());
}

}  // namespace
}  // namespace fpo::train
