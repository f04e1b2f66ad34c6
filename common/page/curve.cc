#include "common/page/curve.h"

#include <algorithm>
#include <functional>

namespace fpo {
namespace {

// Calls `take` with x and both values wherever both curves have that x.
void ForEachCommon(const CurvePoints& a, const CurvePoints& b,
                   const std::function<void(double, double, double)>& take) {
  for (size_t i = 0, k = 0; i < a.size(); ++i) {
    while (k < b.size() && b[k].first < a[i].first) ++k;
    if (k == b.size()) return;
    if (b[k].first == a[i].first) take(a[i].first, a[i].second, b[k].second);
  }
}

}  // namespace

CurvePoints Smoothed(const CurvePoints& points, double span) {
  CurvePoints out;
  out.reserve(points.size());
  const double keep = 1 - 2 / (span + 1);
  double sum = 0, weight = 0;
  for (const auto& [x, y] : points) {
    sum = sum * keep + y * (1 - keep);
    weight = weight * keep + (1 - keep);
    out.emplace_back(x, sum / weight);
  }
  return out;
}

CurvePoints Thinned(const CurvePoints& points, size_t count) {
  if (points.size() <= count || count < 4) return points;
  CurvePoints out;
  const size_t buckets = count / 2;
  for (size_t b = 0; b < buckets; ++b) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(b * points.size() / buckets);
    const auto end =
        points.begin() + static_cast<std::ptrdiff_t>((b + 1) * points.size() / buckets);
    auto [low, high] = std::minmax_element(
        begin, end, [](const auto& a, const auto& c) { return a.second < c.second; });
    if (high < low) std::swap(low, high);
    out.push_back(*low);
    if (high != low) out.push_back(*high);
  }
  return out;
}

CurvePoints EverySoMany(const CurvePoints& points, size_t count) {
  if (points.size() <= count || count < 2) return points;
  CurvePoints out;
  for (size_t i = 0; i < count; ++i) out.push_back(points[i * (points.size() - 1) / (count - 1)]);
  return out;
}

CurvePoints Over(const CurvePoints& top, const CurvePoints& bottom) {
  CurvePoints out;
  ForEachCommon(top, bottom, [&](double x, double a, double b) {
    if (b > 0) out.emplace_back(x, a / b);
  });
  return out;
}

CurvePoints Against(const CurvePoints& y_curve, const CurvePoints& x_curve) {
  CurvePoints out;
  ForEachCommon(y_curve, x_curve, [&](double, double y, double x) { out.emplace_back(x, y); });
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

}  // namespace fpo
