#include "common/evaluation/win_rate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace fpo {

std::optional<double> PreferenceOfAnnotation(double annotation) {
  if (annotation == 0) return 0.5;
  if (!(annotation >= 1 && annotation <= 2)) return std::nullopt;
  return annotation - 1;
}

double AnnotationOfPreference(double preference) { return preference + 1; }

WinRate Describe(absl::Span<const double> preferences) {
  WinRate rate;
  rate.count = static_cast<int64_t>(preferences.size());
  double sum = 0, squares = 0;
  for (const double preference : preferences) {
    sum += preference;
    rate.wins += preference > 0.5 ? 1 : 0;
    rate.losses += preference < 0.5 ? 1 : 0;
    rate.draws += preference == 0.5 ? 1 : 0;
  }
  const auto count = static_cast<double>(preferences.size());
  const double mean = sum / count;
  for (const double preference : preferences) squares += (preference - mean) * (preference - mean);
  rate.percent = 100 * mean;
  rate.standard_error = preferences.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                               : 100 * std::sqrt(squares / (count - 1) / count);
  return rate;
}

absl::StatusOr<WinRate> WinRateOf(absl::Span<const double> preferences) {
  if (preferences.empty()) {
    return absl::InvalidArgumentError("there is no preference to take a win rate of");
  }
  for (const double preference : preferences) {
    if (preference >= 0 && preference <= 1) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("preference ", preference, " is outside 0 to 1"));
  }
  return Describe(preferences);
}

std::optional<WeightedVerdict> VerdictOfLogProbs(const TokenCandidates& candidates,
                                                 const std::string& first,
                                                 const std::string& second) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  double best = kNone;
  for (const auto& [token, log_prob] : candidates) {
    const std::string text(absl::StripAsciiWhitespace(token));
    if (text == first || text == second) best = std::max(best, log_prob);
  }
  if (best == kNone || std::isnan(best)) return std::nullopt;
  double shares[2] = {0, 0};  // relative to the best, so that none of them vanishes
  for (const auto& [token, log_prob] : candidates) {
    const std::string text(absl::StripAsciiWhitespace(token));
    if (text == first) shares[0] += std::exp(log_prob - best);
    if (text == second) shares[1] += std::exp(log_prob - best);
  }
  const double sum = shares[0] + shares[1];
  return WeightedVerdict{shares[0] / sum, sum * std::exp(best)};
}

}  // namespace fpo
