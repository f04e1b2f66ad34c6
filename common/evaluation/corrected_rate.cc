#include "common/evaluation/corrected_rate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fpo {
namespace {

constexpr double kNormal975 = 1.959963984540054;  // the normal distribution's 97.5 % quantile

// The variance of an estimate from the influence of each row on it: rows of a question add up
// before they are squared. With one row a question these are the papers' variances.
class InfluenceSums {
 public:
  void Add(int64_t question, double influence) { sums_[question] += influence; }
  double StandardError() const {
    double squares = 0;
    for (const auto& [question, sum] : sums_) squares += sum * sum;
    return std::sqrt(squares);
  }

 private:
  std::map<int64_t, double> sums_;
};

CorrectedRate RateOf(double share, double error, double weight) {
  CorrectedRate rate;
  rate.percent = 100 * share;
  rate.standard_error = 100 * error;
  const auto bounded = [](double percent) { return std::clamp(percent, 0.0, 100.0); };
  rate.interval_95 = {bounded(rate.percent - kNormal975 * rate.standard_error),
                      bounded(rate.percent + kNormal975 * rate.standard_error)};
  rate.weight = weight;
  return rate;
}

template <typename Rows, typename Value>
double MeanOf(const Rows& rows, const Value& value) {
  double sum = 0;
  for (const auto& row : rows) sum += value(row);
  return sum / static_cast<double>(rows.size());
}

double JudgeOf(const JudgedTwice& pair) { return pair.judge; }
double JudgeOf(const JudgedOnce& pair) { return pair.judge; }
const auto kJudge = [](const auto& pair) { return JudgeOf(pair); };
const auto kTruth = [](const JudgedTwice& pair) { return pair.truth; };

// w of the header; 0 for a judge that says the same of every pair.
double PowerTuning(absl::Span<const JudgedTwice> both, absl::Span<const JudgedOnce> judged) {
  const auto n = static_cast<double>(both.size()), more = static_cast<double>(judged.size());
  const double truth = MeanOf(both, kTruth), judge = MeanOf(both, kJudge);
  const double all = (n * judge + more * MeanOf(judged, kJudge)) / (n + more);
  double covariance = 0, squares = 0;
  for (const JudgedTwice& pair : both) {
    covariance += (pair.truth - truth) * (pair.judge - judge) / n;
    squares += (pair.judge - all) * (pair.judge - all);
  }
  for (const JudgedOnce& pair : judged) squares += (pair.judge - all) * (pair.judge - all);
  const double variance = squares / (n + more - 1);
  constexpr double kRounding = 1e-24;  // of shares in [0, 1] that are all the same
  if (variance < kRounding) return 0;
  return std::clamp(covariance / ((1 + n / more) * variance), 0.0, 1.0);
}

absl::Status TooFew(size_t count, absl::string_view what) {
  if (count >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(count, " pairs ", what,
                   "; a correction needs at least 2, and hundreds to say "
                   "something"));
}

}  // namespace

absl::StatusOr<CorrectedRate> PredictionPoweredRate(absl::Span<const JudgedTwice> both,
                                                    absl::Span<const JudgedOnce> judged) {
  absl::Status status = TooFew(both.size(), "have a truth");
  if (status.ok()) status = TooFew(judged.size(), "have none and are to be corrected");
  if (!status.ok()) return status;
  const double weight = PowerTuning(both, judged);
  const double mean = MeanOf(judged, kJudge);
  const auto rest = [&](const JudgedTwice& pair) { return pair.truth - weight * pair.judge; };
  const double rectifier = MeanOf(both, rest);
  InfluenceSums influence;
  for (const JudgedTwice& pair : both) {
    influence.Add(pair.question, (rest(pair) - rectifier) / static_cast<double>(both.size()));
  }
  for (const JudgedOnce& pair : judged) {
    influence.Add(pair.question, weight * (pair.judge - mean) / static_cast<double>(judged.size()));
  }
  return RateOf(rectifier + weight * mean, influence.StandardError(), weight);
}

absl::StatusOr<CorrectedRate> MisclassificationRate(absl::Span<const JudgedTwice> both,
                                                    absl::Span<const JudgedOnce> judged) {
  std::vector<JudgedTwice> wins, losses;
  for (const JudgedTwice& pair : both) {
    if (pair.truth > 0.5) wins.push_back(pair);
    if (pair.truth < 0.5) losses.push_back(pair);
  }
  absl::Status status = TooFew(wins.size(), "were won by the model, by the truth");
  if (status.ok()) status = TooFew(losses.size(), "were won by the baseline, by the truth");
  if (status.ok()) status = TooFew(judged.size(), "are to be corrected");
  if (!status.ok()) return status;
  const double m1 = MeanOf(wins, kJudge), m0 = MeanOf(losses, kJudge);
  const double mean = MeanOf(judged, kJudge), rate = (mean - m0) / (m1 - m0);
  InfluenceSums difference, influence;
  for (const JudgedTwice& pair : wins) {
    const double deviation = (pair.judge - m1) / static_cast<double>(wins.size());
    difference.Add(pair.question, deviation);
    influence.Add(pair.question, -rate * deviation);
  }
  for (const JudgedTwice& pair : losses) {
    const double deviation = (pair.judge - m0) / static_cast<double>(losses.size());
    difference.Add(pair.question, -deviation);
    influence.Add(pair.question, -(1 - rate) * deviation);
  }
  for (const JudgedOnce& pair : judged) {
    influence.Add(pair.question, (pair.judge - mean) / static_cast<double>(judged.size()));
  }
  if (!(m1 - m0 > 2 * difference.StandardError())) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the judge gives the model %.3f on average where it won and %.3f where it lost, which its "
        "%d and %d pairs do not tell apart: such a judge says nothing of who wins",
        m1, m0, wins.size(), losses.size()));
  }
  return RateOf(rate, influence.StandardError() / (m1 - m0), 1);
}

}  // namespace fpo
