#pragma once

#include <cstdint>
#include <string>

namespace fpo {

// Of a job file: the feature report that a run with an SAE and held-out pairs ends with
// (feature_report.h). Words and ranges: job_fields.cc.
struct FeaturesSection {
  int64_t top = 20;          // features that moved most, on each side; 0: no report
  int64_t spans = 3;         // texts for each
  int64_t pairs = 128;       // the first held-out pairs, at most evaluate.pairs
  int64_t minutes = 5;       // with fewer pairs where they would take longer
  std::string explanations;  // labels: Neuronpedia's export, a file or folder; empty: none
};

}  // namespace fpo
