#pragma once

#include <string>
#include <vector>

#include "common/page/chart_page.h"
#include "common/page/pair_figures.h"
#include "train/report/report_metrics.h"

namespace fpo::train {

// What a report is made from: the texts of the files of a run, all but the metrics "" if absent.
struct RunFiles {
  std::string folder;  // for a section with files of its own; "": only these texts are there
  std::string metrics_jsonl, run_json, admission_json, features_json, job_yaml;
  std::string pairs_jsonl;  // of the newest evaluation
  int64_t pairs_step = 0;   // its step
};

// A part of the report, in a file and with embedded files of its own if it is large: the sections
// that it adds, none where the run has nothing for it. Called after the metrics were read.
using ReportPart = std::vector<PageSection> (*)(const RunFiles& files, const RunMetrics& metrics);

std::vector<PageSection> PhasesPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> CurvesPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> FrontierPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> PairsPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> FeaturesPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> RecordsPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> DataPart(const RunFiles& files, const RunMetrics& metrics);
std::vector<PageSection> FactsPart(const RunFiles& files, const RunMetrics& metrics);

}  // namespace fpo::train
