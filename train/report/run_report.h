#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// Writes OUT/report.html from OUT/metrics.jsonl and, if present, run.json, admission.json and
// job.yaml: one self-contained page without external requests. Lines that are not JSON (a torn last
// line) are skipped and counted on the page.
absl::Status WriteRunReport(const std::string& out);

// The page itself, from the files' texts; any but the metrics may be empty.
struct RunReportInput {
  std::string metrics_jsonl, run_json, admission_json, job_yaml;
};
absl::StatusOr<std::string> RenderRunReport(const RunReportInput& input);

}  // namespace fpo::train
