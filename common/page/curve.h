#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace fpo {

using CurvePoints = std::vector<std::pair<double, double>>;  // (x, y), x not falling, all finite

// Exponential moving average over the points (weight of a new point 2 / (span + 1), started without
// bias).
CurvePoints Smoothed(const CurvePoints& points, double span);

// At most `count` points, keeping each stretch's lowest and highest so that spikes stay visible.
CurvePoints Thinned(const CurvePoints& points, size_t count);

// At most `count` points, evenly spaced in their order, the last included: for smooth curves.
CurvePoints EverySoMany(const CurvePoints& points, size_t count);

// Where both have an x: y of the one, and y of the other as the new x or as a divisor.
CurvePoints Over(const CurvePoints& top, const CurvePoints& bottom);          // (x, top / bottom)
CurvePoints Against(const CurvePoints& y_curve, const CurvePoints& x_curve);  // (y of x_curve, y)

}  // namespace fpo
