#include "common/evaluation/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

size_t WinnerOf(double preference) { return preference < 0.5 ? 0 : preference > 0.5 ? 2 : 1; }

double PartOf(int64_t part, int64_t whole) {
  return whole == 0 ? kUnknown : static_cast<double>(part) / static_cast<double>(whole);
}

// Ranks from 0; equal values share the mean of theirs.
std::vector<double> RanksOf(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double mean = static_cast<double>(begin + end - 1) / 2;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = mean;
    begin = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto count = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / count;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / count;
  double both = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    square_a += (a[i] - mean_a) * (a[i] - mean_a);
    square_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return square_a > 0 && square_b > 0 ? both / std::sqrt(square_a * square_b) : kUnknown;
}

double KappaOf(const Agreement& agreement) {
  double by_chance = 0;
  for (size_t winner = 0; winner < 3; ++winner) {
    int64_t truths = 0, judged = 0;
    for (size_t other = 0; other < 3; ++other) {
      truths += agreement.counts[winner][other];
      judged += agreement.counts[other][winner];
    }
    by_chance += PartOf(truths, agreement.pairs) * PartOf(judged, agreement.pairs);
  }
  return by_chance < 1 ? (agreement.same - by_chance) / (1 - by_chance) : kUnknown;
}

// Each pair as often as it was drawn.
Agreement Compare(absl::Span<const JudgedTwice> pairs, absl::Span<const int32_t> times) {
  Agreement agreement;
  std::vector<double> truths, judged;
  double bias = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    agreement.pairs += times[i];
    agreement.counts[WinnerOf(pairs[i].truth)][WinnerOf(pairs[i].judge)] += times[i];
    bias += times[i] * (pairs[i].judge - pairs[i].truth);
    truths.insert(truths.end(), static_cast<size_t>(times[i]), pairs[i].truth);
    judged.insert(judged.end(), static_cast<size_t>(times[i]), pairs[i].judge);
  }
  if (agreement.pairs == 0) return agreement;  // no question of the draw has a pair: impossible
  const auto& counts = agreement.counts;
  const auto sum = [&](size_t row) { return counts[row][0] + counts[row][1] + counts[row][2]; };
  agreement.same = PartOf(counts[0][0] + counts[1][1] + counts[2][2], agreement.pairs);
  agreement.kappa = KappaOf(agreement);
  agreement.sensitivity = PartOf(counts[2][2], sum(2));
  agreement.specificity = PartOf(counts[0][0], sum(0));
  agreement.rank_correlation = Correlation(RanksOf(truths), RanksOf(judged));
  agreement.bias = bias / static_cast<double>(agreement.pairs);
  return agreement;
}

absl::Status CheckShares(absl::Span<const JudgedTwice> pairs) {
  if (pairs.empty()) return absl::InvalidArgumentError("there is no pair that was judged twice");
  for (const JudgedTwice& pair : pairs) {
    for (const double preference : {pair.truth, pair.judge}) {
      if (preference >= 0 && preference <= 1) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("preference ", preference, " is outside 0 to 1"));
    }
  }
  return absl::OkStatus();
}

// The place of each pair's question among the questions.
std::vector<size_t> QuestionPlaces(absl::Span<const JudgedTwice> pairs, int64_t* questions) {
  std::map<int64_t, size_t> places;
  std::vector<size_t> result;
  for (const JudgedTwice& pair : pairs) {
    result.push_back(places.emplace(pair.question, places.size()).first->second);
  }
  *questions = static_cast<int64_t>(places.size());
  return result;
}

}  // namespace

absl::StatusOr<Agreement> AgreementOf(absl::Span<const JudgedTwice> pairs,
                                      const BootstrapOptions& bootstrap) {
  const absl::Status status = CheckShares(pairs);
  if (!status.ok()) return status;
  std::vector<int32_t> times(pairs.size(), 1);
  Agreement agreement = Compare(pairs, times);
  int64_t questions = 0;
  const std::vector<size_t> places = QuestionPlaces(pairs, &questions);
  const auto drawn = [&](absl::Span<const int32_t> counts) -> std::vector<double> {
    for (size_t i = 0; i < pairs.size(); ++i) times[i] = counts[places[i]];
    const Agreement round = Compare(pairs, times);
    return {round.same, round.kappa, round.sensitivity, round.specificity, round.rank_correlation,
            round.bias};
  };
  const std::vector<Interval> bounds = BootstrapEach(questions, drawn, bootstrap);
  agreement.same_interval = bounds[0];
  agreement.kappa_interval = bounds[1];
  agreement.sensitivity_interval = bounds[2];
  agreement.specificity_interval = bounds[3];
  agreement.rank_correlation_interval = bounds[4];
  agreement.bias_interval = bounds[5];
  return agreement;
}

}  // namespace fpo
