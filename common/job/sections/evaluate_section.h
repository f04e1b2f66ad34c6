#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fpo {

// How often a run is measured on data.eval, and what follows from it.
struct EvaluateSection {
  int64_t every_steps = 200;
  int64_t pairs = 512;
  std::optional<int64_t> patience;  // evaluations without improvement that end the run
  double min_improvement = 0;       // absolute; a smaller one does not count
  std::string metric = "loss";      // by which checkpoints and evaluations are compared
  std::string direction;            // lower | higher is better; empty: as the metric's name says
};

}  // namespace fpo
