#include "ctl/show/comparison_page.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "common/page/chart_page.h"
#include "common/page/html.h"
#include "common/wire/enums.h"
#include "ctl/show/job_facts.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

using Cells = std::vector<std::vector<std::string>>;

constexpr size_t kPagePointsMax = 2000;  // all that the coordinator sends of a series
constexpr char kNothing[] = "–";

// The jobs' names; with their ids where a name is not of one job alone.
std::vector<std::string> NamesOf(const std::vector<ComparedRun>& runs) {
  std::map<std::string, int> counts;
  for (const ComparedRun& run : runs) ++counts[run.job.name()];
  std::vector<std::string> names;
  for (const ComparedRun& run : runs) {
    const std::string& name = run.job.name();
    names.push_back(name.empty()       ? run.job.job_id()
                    : counts[name] > 1 ? absl::StrCat(name, " (", run.job.job_id(), ")")
                                       : name);
  }
  return names;
}

std::vector<std::string> Row(const std::string& first, std::vector<std::string> rest) {
  rest.insert(rest.begin(), first);
  return rest;
}

template <class Text>
std::vector<std::string> ForEachRun(const std::vector<ComparedRun>& runs, const Text& text) {
  std::vector<std::string> cells;
  for (const ComparedRun& run : runs) cells.push_back(text(run));
  return cells;
}

PageSection FinalValues(const std::vector<ComparedRun>& runs,
                        const std::vector<std::string>& names) {
  Cells table = {Row("", names)};
  table.push_back(
      Row("job", ForEachRun(runs, [](const ComparedRun& r) { return r.job.job_id(); })));
  table.push_back(Row("method", ForEachRun(runs, [](const ComparedRun& r) {
                        return r.job.method().empty() ? std::string(TextOf(r.job.kind()))
                                                      : r.job.method();
                      })));
  table.push_back(Row("state", ForEachRun(runs, [](const ComparedRun& r) {
                        return std::string(TextOf(r.job.state()));
                      })));
  if (std::any_of(runs.begin(), runs.end(), [](const auto& r) { return UsesCache(r.job); })) {
    table.push_back(Row("records found / needed", ForEachRun(runs, [](const ComparedRun& r) {
                          const pb::CacheUse& cache = r.job.progress().cache();
                          return UsesCache(r.job) ? absl::StrCat(cache.records_hit(), " / ",
                                                                 cache.records_total())
                                                  : std::string(kNothing);
                        })));
  }
  std::set<std::string> metrics;
  for (const ComparedRun& run : runs) {
    for (const auto& [name, value] : run.job.result()) metrics.insert(name);
  }
  for (const std::string& metric : metrics) {
    table.push_back(Row(metric, ForEachRun(runs, [&](const ComparedRun& r) {
                          const auto it = r.job.result().find(metric);
                          return it == r.job.result().end() ? std::string(kNothing)
                                                            : ShortNumber(it->second);
                        })));
  }
  return {.title = "Final values", .html = HtmlTable(table)};
}

// Where the job files differ from the first one's.
PageSection Differences(const std::vector<ComparedRun>& runs,
                        const std::vector<std::string>& names) {
  PageSection section{.title = "Differences of the job files"};
  section.if_empty = "None that could change a number.";
  const auto first = ReadJobJson(runs.front().job.spec().config_json());
  std::map<std::string, std::vector<std::string>> rows;  // by key
  std::vector<std::string> unread;
  if (!first.ok()) unread.push_back(names.front());
  for (size_t r = 1; r < runs.size(); ++r) {
    const auto other = ReadJobJson(runs[r].job.spec().config_json());
    if (!other.ok()) unread.push_back(names[r]);
    if (!first.ok() || !other.ok()) continue;
    for (const JobDifference& each : RunDifferences(*first, *other)) {
      auto& cells = rows[each.key];
      if (cells.empty()) cells.assign(runs.size(), each.first);
      cells[r] = each.second;
    }
  }
  if (!rows.empty()) {
    Cells table = {Row("", names)};
    for (auto& [key, cells] : rows) {
      for (size_t r = 0; r < runs.size(); ++r) {
        const bool is_read = std::find(unread.begin(), unread.end(), names[r]) == unread.end();
        if (!is_read) cells[r] = kNothing;
      }
      table.push_back(Row(key, cells));
    }
    section.html = HtmlTable(table);
  }
  if (!unread.empty()) {
    absl::StrAppend(&section.html,
                    "<p class=\"warning\">not read, since another version wrote it: "
                    "the job file of ",
                    EscapeHtml(absl::StrJoin(unread, ", ")), "</p>");
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
  const std::vector<std::string> names = NamesOf(runs);
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
    page.runs.push_back({names[r], SecondsSoFar(curves.back())});
  }
  page.sections = {FinalValues(runs, names),
                   {.title = "Accuracy against divergence",
                    .figures = FrontierFigures(curves),
                    .if_empty = "No job reports both an accuracy and a divergence."}};
  for (PageSection& section : StepSections(curves, kPagePointsMax)) {
    page.sections.push_back(std::move(section));
  }
  page.sections.push_back(HeldOutPairs(runs, names));
  page.sections.push_back(Temperatures(runs));
  page.sections.push_back(Differences(runs, names));
  return RenderChartPage(page);
}

}  // namespace fpo::ctl
