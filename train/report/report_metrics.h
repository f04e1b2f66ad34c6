#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/page/step_figures.h"

namespace fpo::train {

// metrics.jsonl by name. Evaluations keep their "eval_" names, so that a training series and its
// evaluation can be shown together.
struct RunMetrics {
  RunCurves curves;
  int64_t skipped_lines = 0;  // not JSON objects with a step: a torn last line
  double last_step = 0;
  size_t longest = 0;  // points of the longest series

  const CurvePoints* Find(const std::string& name) const { return curves.Find(name); }
};

RunMetrics ParseMetrics(absl::string_view jsonl);

}  // namespace fpo::train
