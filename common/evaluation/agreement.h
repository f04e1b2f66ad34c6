#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/evaluation/resample.h"

namespace fpo {

// One pair of answers that was judged twice: by people, or a judge that stands for them, and by the
// judge in question. Preferences are in [0, 1], of the model's answer (win_rate.h).
struct JudgedTwice {
  double truth = 0;
  double judge = 0;
  int64_t question = 0;  // pairs of one question are drawn together by the bootstrap
};

// How far a judge says what the truth says. Winners are compared: a preference above 0.5 is the
// model's win, below it the baseline's, 0.5 a draw. NaN where a number has nothing to rest on.
struct Agreement {
  int64_t pairs = 0;
  // counts[truth][judge]; 0: the baseline won, 1: a draw, 2: the model won.
  std::array<std::array<int64_t, 3>, 3> counts = {};
  double same = 0;              // share of pairs with the same winner
  double kappa = 0;             // Cohen's, of the winners: 0 is chance, 1 is always the same
  double sensitivity = 0;       // where the model won, the share in which the judge says so
  double specificity = 0;       // where the baseline won
  double rank_correlation = 0;  // Spearman's, of the preferences, equal ones at their mean rank
  double bias = 0;              // mean of judge - truth: above 0 it favours the model
  Interval same_interval, kappa_interval, sensitivity_interval, specificity_interval,
      rank_correlation_interval, bias_interval;  // bootstrap over the questions
};

// InvalidArgument without a pair, or with a preference outside [0, 1].
absl::StatusOr<Agreement> AgreementOf(absl::Span<const JudgedTwice> pairs,
                                      const BootstrapOptions& bootstrap);

}  // namespace fpo
