#include "ctl/show/comparison_page.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_file.h"
#include "common/page/chart_page.h"
#include "common/page/html.h"
#include "common/page/job_comparison.h"
#include "common/wire/enums.h"
#include "ctl/show/job_facts.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

using Cells = std::vector<std::vector<std::string>>;

constexpr size_t kPagePointsMax = 2000;  // all that the coordinator sends of a series

std::vector<ComparedJob> JobsOf(const std::vector<ComparedRun>& runs) {
  std::vector<ComparedJob> jobs;
  for (const ComparedRun& run : runs) {
    const pb::Job& job = run.job;
    const pb::CacheUse& cache = job.progress().cache();
    jobs.push_back({.job_id = job.job_id(),
                    .name = job.name(),
                    .method = job.method().empty() ? std::string(TextOf(job.kind())) : job.method(),
                    .state = std::string(TextOf(job.state())),
                    .config_json = job.spec().config_json(),
                    .uses_cache = UsesCache(job),
                    .records_hit = cache.records_hit(),
                    .records_total = cache.records_total(),
                    .result = {job.result().begin(), job.result().end()}});
  }
  return jobs;
}

std::string TableOf(const std::vector<ComparisonRow>& rows, const std::vector<std::string>& names) {
  Cells table = {{""}};
  table.front().insert(table.front().end(), names.begin(), names.end());
  for (const ComparisonRow& row : rows) {
    table.push_back({row.name});
    table.back().insert(table.back().end(), row.cells.begin(), row.cells.end());
  }
  return HtmlTable(table);
}

// Where the job files differ from the first one's.
PageSection Differences(const std::vector<ComparedJob>& jobs,
                        const std::vector<std::string>& names) {
  PageSection section{.title = "Differences of the job files"};
  section.if_empty = "None that could change a number.";
  const JobFileComparison files = CompareJobFiles(jobs);
  if (!files.rows.empty()) section.html = TableOf(files.rows, names);
  if (!files.unread.empty()) {
    absl::StrAppend(&section.html,
                    "<p class=\"warning\">not read, since another version wrote it: "
                    "the job file of ",
                    EscapeHtml(absl::StrJoin(files.unread, ", ")), "</p>");
  }
  return section;
}

// The temperature at which the answers behind a job's results were drawn, and by which model.
struct Sampling {
  double temperature = 0;
  std::string model;
};

// By the folders of jobs that generate, for those that judge what lies in them.
std::optional<Sampling> SamplingOf(const pb::Job& job,
                                   const std::map<std::string, Sampling>& from) {
  const auto config = ReadJobJson(job.spec().config_json());
  if (!config.ok()) return std::nullopt;
  if (config->kind == "generate") {
    return Sampling{config->generate.temperature, config->model.path};
  }
  if (config->kind != "judge") return std::nullopt;
  for (const auto& [folder, sampling] : from) {
    if (absl::StartsWith(config->judge.outputs, folder + "/")) return sampling;
  }
  const auto label = job.labels().find("temperature");
  Sampling labelled;
  if (label == job.labels().end() || !absl::SimpleAtod(label->second, &labelled.temperature)) {
    return std::nullopt;
  }
  const auto model = job.labels().find("model");
  labelled.model = model == job.labels().end() ? "labelled" : model->second;
  return labelled;
}

// Win rates and entropies of jobs that differ in the temperature.
PageSection Temperatures(const std::vector<ComparedRun>& runs) {
  std::map<std::string, Sampling> generated;
  for (const ComparedRun& run : runs) {
    const auto config = ReadJobJson(run.job.spec().config_json());
    if (!config.ok() || config->kind != "generate") continue;
    generated[config->output] = {config->generate.temperature, config->model.path};
  }
  std::map<std::string, std::map<std::string, CurvePoints>> curves;  // by metric, by model
  std::set<double> temperatures;
  for (const ComparedRun& run : runs) {
    const auto sampling = SamplingOf(run.job, generated);
    if (!sampling) continue;
    temperatures.insert(sampling->temperature);
    for (const auto& [name, value] : run.job.result()) {
      if (!absl::EndsWith(name, "win_rate") && !absl::StartsWith(name, "entropy")) continue;
      curves[name][sampling->model].emplace_back(sampling->temperature, value);
    }
  }
  PageSection section{.title = "By temperature"};
  if (temperatures.size() < 2) return section;
  for (auto& [metric, by_model] : curves) {
    Figure figure{.title = metric, .x_label = "temperature"};
    if (absl::EndsWith(metric, "win_rate")) {
      figure.unit = "%";
      figure.reference = 50;
      figure.note = "dashed: as good as the baseline";
    }
    for (auto& [model, points] : by_model) {
      std::sort(points.begin(), points.end());
      FigureSeries series{.label = model, .points = points};
      series.style = FigureSeries::Style::kMarked;
      series.run = -1;
      series.colour = static_cast<int>(figure.series.size()) % kFigureColours;
      figure.series.push_back(std::move(series));
    }
    section.figures.push_back(std::move(figure));
  }
  return section;
}

PageSection HeldOutPairs(const std::vector<ComparedRun>& runs,
                         const std::vector<std::string>& names) {
  std::vector<EvaluatedPairs> pairs;
  PageSection section{.title = "Held-out pairs"};
  for (size_t r = 0; r < runs.size(); ++r) {
    pairs.push_back(ReadEvaluatedPairs(runs[r].pairs_jsonl));
    pairs.back().run = names[r];
    if (runs[r].pairs_are_missing.empty()) continue;
    absl::StrAppend(&section.html, "<p class=\"warning\">", EscapeHtml(names[r]),
                    ": its pairs could not be fetched: ", EscapeHtml(runs[r].pairs_are_missing),
                    "</p>");
  }
  section.figures = PairFigures(pairs, "Divergence");
  section.if_empty = "No job has an evaluation that measured the divergence of single pairs.";
  return section;
}

}  // namespace

std::string RenderComparisonPage(const std::vector<ComparedRun>& runs) {
  const std::vector<ComparedJob> jobs = JobsOf(runs);
  const std::vector<std::string> names = NamesOf(jobs);
  ChartPage page{.title = absl::StrCat("Comparison of ", runs.size(), " jobs")};
  page.lead_html =
      "<p>Lines are moving averages over training steps, dots evaluations on held-out pairs; below "
      "a "
      "chart a job's last numbers are training · held out. Where "
      "a job has more than 2,000 steps, the coordinator sends 2,000 of them, evenly chosen.</p>";
  std::vector<RunCurves> curves;
  for (size_t r = 0; r < runs.size(); ++r) {
    curves.push_back(runs[r].curves);
    curves.back().name = names[r];
    page.runs.push_back({names[r], SecondsSoFar(curves.back()), PairsSoFar(curves.back())});
  }
  page.sections = {{.title = "Final values", .html = TableOf(FinalValueRows(jobs), names)},
                   {.title = "Accuracy against divergence",
                    .figures = FrontierFigures(curves),
                    .if_empty = "No job reports both an accuracy and a divergence."}};
  for (PageSection& section : StepSections(curves, kPagePointsMax)) {
    page.sections.push_back(std::move(section));
  }
  page.sections.push_back(HeldOutPairs(runs, names));
  page.sections.push_back(Temperatures(runs));
  page.sections.push_back(Differences(jobs, names));
  return RenderChartPage(page);
}

}  // namespace fpo::ctl
