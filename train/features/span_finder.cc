#include "train/features/span_finder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "train/data/context_id.h"

namespace fpo::train {

SpanFinder::SpanFinder(int64_t features, int64_t spans, int64_t around)
    : spans_(spans), around_(around), found_(static_cast<size_t>(features)) {}

void SpanFinder::Add(const SpanSource& source) {
  if (source.after.size(0) == 0 || spans_ == 0) return;
  at::Tensor strength = source.after;
  if (source.before.defined()) strength = at::maximum(strength, source.before);
  const auto [largest, rows] = strength.max(0);
  for (int64_t f = 0; f < strength.size(1); ++f) {
    const double value = largest[f].item<double>();
    std::vector<Found>& kept = found_[static_cast<size_t>(f)];
    const bool full = static_cast<int64_t>(kept.size()) == spans_;
    if (value <= 0 || (full && value <= kept.back().strength)) continue;
    if (full) kept.pop_back();
    const auto place = std::upper_bound(
        kept.begin(), kept.end(), value,
        [](double strongest, const Found& other) { return strongest > other.strength; });
    kept.insert(place, Cut(source, f, rows[f].item<int64_t>()));
  }
}

SpanFinder::Found SpanFinder::Cut(const SpanSource& source, int64_t feature, int64_t row) const {
  const auto size = static_cast<int64_t>(source.response.size());
  std::vector<int64_t> row_of(source.response.size(), -1);  // of each token; -1: context
  int64_t at = 0, rows = 0;
  for (int64_t i = 0; i < size; ++i) {
    if (IsContextId(source.response[static_cast<size_t>(i)])) continue;
    if (rows == row) at = i;
    row_of[static_cast<size_t>(i)] = rows++;
  }
  Found found;
  found.span = source.place;
  const int64_t first = std::max<int64_t>(0, at - around_);
  const int64_t end = std::min(size, at + around_ + 1);
  found.span.position = first;
  found.span.strongest = at - first;
  const auto code = [&](const at::Tensor& codes, int64_t i) -> std::optional<double> {
    const int64_t own = row_of[static_cast<size_t>(i)];
    return own < 0 ? std::nullopt : std::optional(codes[own][feature].item<double>());
  };
  for (int64_t i = first; i < end; ++i) {
    found.ids.push_back(source.response[static_cast<size_t>(i)]);
    found.span.after.push_back(code(source.after, i));
    if (source.before.defined()) found.span.before.push_back(code(source.before, i));
  }
  const size_t middle = static_cast<size_t>(found.span.strongest);
  found.strength = found.span.after[middle].value_or(0);
  if (source.before.defined()) {
    found.strength = std::max(found.strength, found.span.before[middle].value_or(0));
  }
  return found;
}

}  // namespace fpo::train
