#pragma once

#include <string>

#include "ctl/show/text_layout.h"
#include "proto/fpo/v1/coordinator.pb.h"

namespace fpo::ctl {

// The series that people look at first: losses, accuracies, margins.
bool IsUsualSeries(const std::string& name);

struct MetricTable {
  std::string text;  // a row per step, a column per series; empty cells are "-"
  int hidden = 0;    // series that a terminal has no room for; elsewhere 0
};
MetricTable LayOutMetrics(const v1::MetricsResponse& answer, const TextStyle& style);

}  // namespace fpo::ctl
