#pragma once

#include <map>
#include <string>

namespace fpo::worker {

// A number that a GPU's driver gave: a series of GpuMetrics, and its labels.
struct GpuSample {
  std::string series;
  std::map<std::string, std::string> labels;  // gpu and uuid, and those of the series
  double value = 0;

  bool operator==(const GpuSample&) const = default;
};

}  // namespace fpo::worker
