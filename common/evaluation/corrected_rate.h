#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/evaluation/agreement.h"
#include "common/evaluation/resample.h"

namespace fpo {

// A win rate by the truth (what people, or the judge that stands for them, would have said), from
// what a cheaper judge said of many pairs and both said of few. The intervals hold three errors:
// which questions were drawn, which of them have a truth, and how the judge errs.

// A pair that only the judge has judged. Its question may be one of the calibration's: rows of one
// question are taken for dependent, rows of different ones for independent.
struct JudgedOnce {
  double judge = 0;  // in [0, 1]
  int64_t question = 0;
};

struct CorrectedRate {
  double percent = 0;         // before it is bounded to 0 to 100
  double standard_error = 0;  // in points
  Interval interval_95;       // percent -+ 1.96 standard errors, within 0 to 100
  double weight = 1;          // PredictionPoweredRate: how much the judge counts, 0 to 1
};

// Prediction-powered inference with power tuning (PPI++; Angelopoulos, Duchi and Zrnic,
// arXiv:2311.01453): with n pairs of `both` and N of `judged`,
//   rate = mean(truth of both) + w (mean(judge of judged) - mean(judge of both)),
//   w = Cov(truth, judge of both) / ((1 + n / N) Var(all of judge)), within 0 to 1.
// It estimates the mean preference by the truth, whatever the judge is like, where the pairs of
// `both` are a random sample of those in question. With a useless judge w goes to 0, and the rate
// is that of `both` alone. InvalidArgument for fewer than 2 pairs in either.
absl::StatusOr<CorrectedRate> PredictionPoweredRate(absl::Span<const JudgedTwice> both,
                                                    absl::Span<const JudgedOnce> judged);

// The correction for misclassification (Rogan and Gladen, Am. J. Epidemiol. 107, 1978) for a judge
// whose verdicts may be shares: with m1 and m0 the judge's mean where the truth says that the
// model, or the baseline, won,
//   rate = (mean(judge of judged) - m0) / (m1 - m0).
// It estimates the share of pairs that the model wins, draws aside, where the judge errs on
// `judged` as often as on `both`; how often the model wins may differ between them. InvalidArgument
// for fewer than 2 pairs where the truth names the model, or the baseline, or fewer than 2 judged;
// FailedPrecondition when m1 - m0 is not above 0 by two standard errors: such a judge cannot tell.
absl::StatusOr<CorrectedRate> MisclassificationRate(absl::Span<const JudgedTwice> both,
                                                    absl::Span<const JudgedOnce> judged);

}  // namespace fpo
