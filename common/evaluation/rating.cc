#include "common/evaluation/rating.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace fpo {
namespace {

// The digits at the beginning, with one point between them; "" when there are none.
absl::string_view NumberAt(absl::string_view text) {
  size_t size = 0;
  while (size < text.size() && absl::ascii_isdigit(text[size])) ++size;
  if (size == 0) return "";
  if (size < text.size() && text[size] == '.') {
    ++size;
    while (size < text.size() && absl::ascii_isdigit(text[size])) ++size;
  }
  return text.substr(0, size);
}

std::optional<double> FirstBetween(absl::string_view text, absl::string_view open,
                                   absl::string_view close) {
  for (size_t at = text.find(open); at != absl::string_view::npos; at = text.find(open, at + 1)) {
    const absl::string_view rest = text.substr(at + open.size());
    const absl::string_view number = NumberAt(rest);
    double value = 0;
    const bool ends = rest.substr(number.size(), close.size()) == close;
    if (!number.empty() && ends && absl::SimpleAtod(number, &value)) return value;
  }
  return std::nullopt;
}

struct RatingSum {
  double sum = 0;
  double count = 0;
  void Add(const std::optional<double>& rating, double times) {
    sum += times * rating.value_or(0);
    count += rating ? times : 0;
  }
  double Mean() const { return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN(); }
};

}  // namespace

std::optional<double> ParseRating(absl::string_view text) {
  std::optional<double> rating = FirstBetween(text, "[[", "]]");
  if (!rating) rating = FirstBetween(text, "[", "]");
  if (!rating || *rating < 1 || *rating > 10) return std::nullopt;
  return rating;
}

MtBenchScore MtBenchScoreOf(absl::Span<const TurnRatings> questions,
                            const BootstrapOptions& options) {
  RatingSum first, second, all;
  for (const TurnRatings& question : questions) {
    first.Add(question.first, 1);
    second.Add(question.second, 1);
    all.Add(question.first, 1);
    all.Add(question.second, 1);
  }
  MtBenchScore score;
  score.first = first.Mean();
  score.second = second.Mean();
  score.average = all.Mean();
  score.ratings = static_cast<int64_t>(all.count);
  score.missing = static_cast<int64_t>(2 * questions.size()) - score.ratings;
  const auto statistic = [&](absl::Span<const int32_t> drawn) {
    RatingSum sum;
    for (size_t i = 0; i < questions.size(); ++i) {
      sum.Add(questions[i].first, drawn[i]);
      sum.Add(questions[i].second, drawn[i]);
    }
    return sum.Mean();
  };
  score.interval = Bootstrap(static_cast<int64_t>(questions.size()), statistic, options);
  return score;
}

}  // namespace fpo
