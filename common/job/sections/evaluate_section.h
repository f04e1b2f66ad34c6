#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fpo {

inline constexpr size_t kEvalSetsMax = 16;

// One of several sets in data.eval.
struct EvalSetSection {
  std::string name;  // [a-z0-9_-]{1,32}
  std::vector<std::string> files;
};

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
