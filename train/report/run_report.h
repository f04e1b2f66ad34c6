#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/report/report_sections.h"

namespace fpo::train {

// Writes OUT/report.html from OUT/metrics.jsonl and, if present, run.json, admission.json, job.yaml
// and the newest of evaluations/: one self-contained page that asks for nothing. Lines that are not
// JSON (a torn last line) are skipped and counted on the page. InvalidArgument when no step has
// numbers.
absl::Status WriteRunReport(const std::string& out);

// The page itself.
absl::StatusOr<std::string> RenderRunReport(const RunFiles& files);

}  // namespace fpo::train
