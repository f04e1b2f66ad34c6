#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/evaluation/resample.h"
#include "common/evaluation/win_rate.h"

namespace fpo {

// The length-controlled win rate of AlpacaEval 2 (Dubois et al., 2024). With
//   logit P(model preferred) = length * tanh(d) + difficulty * g + model
// where d is the difference of the answers' lengths in units of its standard deviation and g the
// published difficulty of the instruction, it is the mean over the instructions of what this model
// predicts at d = 0.

struct LengthControlWeights {
  double length = 0;
  double difficulty = 0;
  double model = 0;
};

// What the prediction says at equal lengths: percent, and the standard error of the mean over the
// instructions, as AlpacaEval reports it (it does not hold the fit's own error). InvalidArgument
// without an instruction.
absl::StatusOr<WinRate> LengthControlledWinRate(const LengthControlWeights& weights,
                                                absl::Span<const double> difficulties);

// A judged answer. Lengths are counted in Unicode code points, as Python does.
struct JudgedLength {
  double preference = 0;  // in [0, 1]
  int64_t baseline_length = 0;
  int64_t model_length = 0;
  double difficulty = 0;
};

// A judged answer of the published "gamed" models, the baseline told to be verbose or concise. They
// keep the fit from explaining the model's quality by its length. Their difference is standardised.
struct GamedRow {
  double preference = 0;
  double standard_difference = 0;
  double difficulty = 0;
};

struct LengthControlFit {
  LengthControlWeights weights;
  double c = 0;  // of the penalty, chosen by cross-validation
  WinRate rate;
};

// AlpacaEval's `length_controlled_v1`: an L1-penalised logistic regression on the model's rows with
// weight 1 and the gamed ones with weight 0.1, its penalty chosen by 5-fold cross-validation among
// ten values. The fit is exact where the original stops at liblinear's tolerance, so that
// percentages agree within hundredths. InvalidArgument for fewer than 10 rows, for preferences
// outside [0, 1], and when all length differences are the same.
absl::StatusOr<LengthControlFit> FitLengthControl(absl::Span<const JudgedLength> rows,
                                                  absl::Span<const GamedRow> gamed);

// Bootstrap over the instructions of the whole fit but its choice of the penalty, which is fit.c.
Interval LengthControlInterval(absl::Span<const JudgedLength> rows,
                               absl::Span<const GamedRow> gamed, const LengthControlFit& fit,
                               const BootstrapOptions& options);

}  // namespace fpo
