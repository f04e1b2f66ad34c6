#include "train/judge/calibration_pairs.h"

#include <gtest/gtest.h>

namespace fpo::train {
namespace {

Annotation Judged(const std::string& question, const std::string& answer,
                  std::optional<double> preference) {
  Annotation annotation;
  annotation.instruction = question;
  annotation.baseline = "base";
  annotation.baseline_output = "b";
  annotation.model = "m";
  annotation.model_output = answer;
  annotation.annotator = "judge";
  annotation.preference = preference;
  return annotation;
}

TEST(CalibrationPairsTest, PairsAreTheSameByTextAndTruthsAreAveraged) {
  const CalibrationPairs pairs =
      PairUp({Judged("q", "x", 0.9), Judged("q", "y", 0.2), Judged("r", "x", 0.4),
              Judged("s", "x", std::nullopt)},
             {Judged("q", "x", 1), Judged("q", "x", 0), Judged("r", "x", 0), Judged("s", "x", 1),
              Judged("t", "x", 1)},
             {});
  ASSERT_EQ(pairs.both.size(), 2u);
  EXPECT_EQ(pairs.both[0].truth, 0.5);
  EXPECT_EQ(pairs.both[0].judge, 0.9);
  EXPECT_EQ(pairs.both[1].truth, 0);
  EXPECT_NE(pairs.both[0].question, pairs.both[1].question);
  EXPECT_EQ(pairs.questions, 2);
  EXPECT_EQ(pairs.without_truth, 1);
  EXPECT_EQ(pairs.without_judge, 2) << "of s the judge said nothing, of t it was not asked";
  EXPECT_EQ(pairs.calibration.unclear, 1);
}

TEST(CalibrationPairsTest, AnEvaluatedPairWithATruthCalibrates) {
  const std::vector<Annotation> evaluated = {Judged("q", "x", 0.9), Judged("r", "x", 0.4),
                                             Judged("q", "z", 0.3)};
  const CalibrationPairs pairs = PairUp(evaluated, {Judged("q", "x", 1)}, evaluated);
  ASSERT_EQ(pairs.both.size(), 1u);
  ASSERT_EQ(pairs.judged.size(), 2u);
  ASSERT_EQ(pairs.sampled.size(), 1u);
  EXPECT_EQ(pairs.sampled[0].judge, 0.9);
  EXPECT_EQ(pairs.evaluated_preferences.size(), 3u);
  EXPECT_EQ(pairs.without_truth, 0) << "those are evaluated";
  EXPECT_EQ(pairs.shared_questions, 1);
  EXPECT_EQ(pairs.judged[1].question, pairs.both[0].question);
}

}  // namespace
}  // namespace fpo::train
