#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/page/pair_figures.h"
#include "common/page/step_figures.h"
#include "proto/fpo/v1/job.pb.h"

namespace fpo::ctl {

// One of the compared jobs with what was fetched of it.
struct ComparedRun {
  fpo::v1::Job job;
  RunCurves curves;         // the name is filled in by the page
  std::string pairs_jsonl;  // of its newest evaluation; "" when there is none
  std::string
      pairs_are_missing;  // why they could not be fetched; "": they could, or there are none
};

// `compare --html`: final values, curves over each other, accuracy against divergence, held-out
// pairs, results by temperature, and where the job files differ. One self-contained page.
std::string RenderComparisonPage(const std::vector<ComparedRun>& runs);

}  // namespace fpo::ctl
