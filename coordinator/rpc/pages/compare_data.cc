#include "coordinator/rpc/pages/compare_data.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/page/chart_page.h"
#include "common/page/job_comparison.h"
#include "common/page/step_figures.h"
#include "common/text/json.h"

namespace fpo::coordinator {
namespace {

// Of a series, so that the whole stays below some hundred kilobytes.
size_t PointsMax(size_t runs) { return std::clamp<size_t>(2400 / runs, 200, 500); }

ComparedJob ToCompared(const ShownRun& run) {
  const Job& job = *run.job;
  return {.job_id = job.job_id,
          .name = job.name,
          .method = job.method.empty() ? std::string(job.kind ? Name(*job.kind) : "") : job.method,
          .state = std::string(Name(job.state)),
          .config_json = run.config_json,
          .uses_cache = job.progress.cache.records_total > 0,
          .records_hit = job.progress.cache.records_hit,
          .records_total = job.progress.cache.records_total,
          .result = job.result};
}

RunCurves ToCurves(const ShownRun& run, const std::string& name) {
  RunCurves curves{.name = name};
  for (const auto& [metric, points] : *run.curves) {
    CurvePoints& shown = curves.series[metric];
    for (const auto& [step, value] : points) {
      if (std::isfinite(value)) shown.emplace_back(static_cast<double>(step), value);
    }
  }
  return curves;
}

std::string Texts(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(JsonQuote(text));
  return JsonArray(quoted);
}

std::string RowsJson(const std::vector<ComparisonRow>& rows) {
  std::vector<std::string> all;
  for (const ComparisonRow& row : rows) {
    std::vector<std::string> best;
    for (const int column : row.best) best.push_back(absl::StrCat(column));
    JsonObject json;
    json.Add("name", row.name);
    json.AddRaw("cells", Texts(row.cells));
    json.AddRaw("best", JsonArray(best));
    all.push_back(json.Text());
  }
  return JsonArray(all);
}

std::string JobsJson(const std::vector<ShownRun>& runs, const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (size_t r = 0; r < runs.size(); ++r) {
    JsonObject json;
    json.Add("job_id", runs[r].job->job_id);
    json.Add("label", names[r]);
    json.Add("state", std::string(Name(runs[r].job->state)));
    json.Add("step", runs[r].job->progress.step);
    all.push_back(json.Text());
  }
  return JsonArray(all);
}

}  // namespace

std::string CompareJson(const std::vector<ShownRun>& runs) {
  std::vector<ComparedJob> jobs;
  for (const ShownRun& run : runs) jobs.push_back(ToCompared(run));
  const std::vector<std::string> names = NamesOf(jobs);
  std::vector<RunCurves> curves;
  std::vector<ChartPage::Run> axes;
  for (size_t r = 0; r < runs.size(); ++r) {
    curves.push_back(ToCurves(runs[r], names[r]));
    axes.push_back({names[r], SecondsSoFar(curves.back()), PairsSoFar(curves.back())});
  }
  std::vector<PageSection> sections = StepSections(curves, PointsMax(runs.size()));
  PageSection frontier{.title = "Accuracy against divergence", .figures = FrontierFigures(curves)};
  if (runs.size() > 1) sections.insert(sections.begin(), std::move(frontier));
  std::vector<Figure> figures;
  std::vector<std::string> headings;
  for (const PageSection& section : sections) {
    if (section.figures.empty() && section.if_empty.empty()) continue;
    JsonObject json;
    json.Add("title", section.title);
    json.Add("if_empty", section.if_empty);
    json.Add("figures", static_cast<int64_t>(section.figures.size()));
    headings.push_back(json.Text());
    figures.insert(figures.end(), section.figures.begin(), section.figures.end());
  }
  const JobFileComparison files = CompareJobFiles(jobs);
  JsonObject json;
  json.AddRaw("jobs", JobsJson(runs, names));
  json.AddRaw("final", RowsJson(FinalValueRows(jobs)));
  json.AddRaw("differences", RowsJson(files.rows));
  json.AddRaw("unread", Texts(files.unread));
  json.AddRaw("sections", JsonArray(headings));
  json.AddRaw("draw", ChartsJson(axes, figures));
  return json.Text();
}

}  // namespace fpo::coordinator
