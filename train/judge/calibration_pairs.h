#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/evaluation/agreement.h"
#include "common/evaluation/corrected_rate.h"
#include "train/verdicts/annotations.h"

namespace fpo::train {

// Who judged, and whose answers.
struct JudgedNames {
  std::set<std::string> annotators, baselines, models;
  int64_t pairs = 0;    // with a preference
  int64_t unclear = 0;  // without one
};

// What is compared: the pairs with both preferences, and those that wait for a correction. A pair
// of `evaluated` with a truth belongs to the former alone.
struct CalibrationPairs {
  std::vector<JudgedTwice> both;
  std::vector<JudgedTwice> sampled;  // those of `both` that are evaluated
  std::vector<JudgedOnce> judged;
  JudgedNames calibration, truth, evaluated;  // calibration: of the judge, where there is a truth
  int64_t without_truth = 0;                  // of the judge's pairs, unless they are evaluated
  int64_t without_judge = 0;                  // of the truth's
  int64_t questions = 0;                      // of `both`
  int64_t shared_questions = 0;               // that `both` and `judged` have
  std::vector<double> evaluated_preferences;  // all that the judge said of the model in question
};

// Puts pairs together by instruction and both answers. Several truths of one pair, as of several
// people, count with their mean; the judge's second verdict on the same pair does not.
CalibrationPairs PairUp(const std::vector<Annotation>& judged, const std::vector<Annotation>& truth,
                        const std::vector<Annotation>& evaluated);

}  // namespace fpo::train
