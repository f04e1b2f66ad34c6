#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/page/chart_page.h"

namespace fpo {

// The numbers of a run over its steps, by their names in metrics.jsonl; those of evaluations begin
// with "eval_".
struct RunCurves {
  std::string name;
  std::map<std::string, CurvePoints> series = {};  // by step

  const CurvePoints* Find(const std::string& metric) const;  // null when absent or empty
};

// The sections Learning, Divergence, Speed and memory, and Other metrics, which has whatever no
// figure of the others shows. With one run, a figure's curves have colours of their own; with
// several, each figure shows one number and each run has a colour. Long series are thinned to about
// `points_max` points.
std::vector<PageSection> StepSections(const std::vector<RunCurves>& runs, size_t points_max);

// Accuracy against each divergence that a run reports: a point per evaluation, or without
// evaluations of the moving averages of its steps. Empty without both numbers.
std::vector<Figure> FrontierFigures(const std::vector<RunCurves>& runs);

// How long the run had trained at each step, from its step_seconds. Where steps were left out of
// these, each stands for those before it.
CurvePoints SecondsSoFar(const RunCurves& run);
CurvePoints PairsSoFar(const RunCurves& run);  // the same of the pairs it had seen

// A moving average that shows the course of a training series.
CurvePoints MeanCourse(const CurvePoints& points);

}  // namespace fpo
