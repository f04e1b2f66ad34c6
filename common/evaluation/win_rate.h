#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fpo {

// A preference is in [0, 1]: the share of the judge's belief that the model's answer is better than
// the baseline's. 1: the model wins, 0: the baseline does, 0.5: a draw.

// AlpacaEval writes 1 where the baseline (output_1) wins and 2 where the model (output_2) does,
// values between them for a weighted judge, and 1.5 or, in older files, 0 for a draw. nullopt:
// something else, which counts for nobody.
std::optional<double> PreferenceOfAnnotation(double annotation);
double AnnotationOfPreference(double preference);

struct WinRate {
  double percent = 0;         // mean preference, 0 to 100
  double standard_error = 0;  // of it, in points; NaN for one preference
  int64_t wins = 0;           // preferences above 0.5
  int64_t losses = 0;
  int64_t draws = 0;
  int64_t count = 0;
};

// AlpacaEval's win rate (`weighted` where the preferences are). InvalidArgument without a
// preference, or with one outside [0, 1].
absl::StatusOr<WinRate> WinRateOf(absl::Span<const double> preferences);

// Mean in percent and its standard error in points, as pandas' mean and sem: count, wins, losses
// and draws by the same thresholds.
WinRate Describe(absl::Span<const double> preferences);

// A judge's first token as its server reports it: candidates with log-probabilities in nats.
using TokenCandidates = std::vector<std::pair<std::string, double>>;

struct WeightedVerdict {
  double first = 0;  // P(first) / (P(first) + P(second)), in [0, 1]
  double mass = 0;   // P(first) + P(second): low when the judge wants to say something else
};

// The verdict of a judge that names the better answer by one of two tokens. Candidates are compared
// without the white space around them, and several that then agree add up; one that is not listed
// has probability 0. nullopt when neither is.
std::optional<WeightedVerdict> VerdictOfLogProbs(const TokenCandidates& candidates,
                                                 const std::string& first,
                                                 const std::string& second);

}  // namespace fpo
