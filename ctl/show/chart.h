#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ctl/show/text_layout.h"

namespace fpo::ctl {

using ChartPoints = std::vector<std::pair<double, double>>;  // x ascends

// A small chart of one series under its name: `rows` lines high, with the largest and smallest
// value at the left and the ends of the x axis below. Values that are not finite are left out. Fits
// style.columns, 80 when that is 0.
std::string RenderChart(const std::string& name, const ChartPoints& points, int rows,
                        const TextStyle& style);

}  // namespace fpo::ctl
