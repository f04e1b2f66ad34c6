#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/ops/named_tensors.h"

namespace fpo::train {

// What a run did.
struct Trajectory {
  std::vector<double> metrics;  // those that change smoothly with the weights, line after line
  TensorMap weights;            // after the last update

  // A line of metrics.jsonl, or the numbers of an event.
  void Add(const std::map<std::string, double>& line);
};

// Of a finished run, from the files in its output folder.
Trajectory ReadTrajectory(const std::string& out);

// The largest differences of two runs of one job. Infinite when one reported what the other did
// not, or a value is not a number.
struct Distance {
  double metrics = 0;  // |a - b| / (1 + |b|)
  double weights = 0;  // |a - b|
};
Distance Between(const Trajectory& a, const Trajectory& b);
Distance Larger(const Distance& a, const Distance& b);  // of both kinds

}  // namespace fpo::train
