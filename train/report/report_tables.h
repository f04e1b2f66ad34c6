#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "train/report/report_metrics.h"

namespace fpo::train {

// The parts of report.html that are not charts. Each is empty when its input is.

// The key numbers of the run: steps, loss, accuracy, margin, divergence, time, memory.
std::string RenderHeadlines(const RunMetrics& metrics);

// admission.json as two columns (train, eval): rows, admitted, dropped, cut, lengths.
std::string RenderAdmission(absl::string_view admission_json);

// Any JSON object as a table of dotted names and values.
std::string RenderFacts(absl::string_view json);

}  // namespace fpo::train
