#include "train/report/run_report.h"

#include <cmath>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/report/report_chart.h"
#include "train/report/report_metrics.h"
#include "train/report/report_tables.h"

namespace fpo::embedded {

extern const absl::string_view kRunReportCss;

}  // namespace fpo::embedded

namespace fpo::train {
namespace {

struct SeriesName {
  const char* metric;
  const char* label;
  int colour;
};

// Training and evaluation of every named metric in one chart.
std::string MetricChart(const RunMetrics& metrics, Chart chart,
                        const std::vector<SeriesName>& names, double scale = 1) {
  for (const SeriesName& name : names) {
    for (const bool held_out : {false, true}) {
      const MetricPoints* points = metrics.Find(absl::StrCat(held_out ? "eval_" : "", name.metric));
      if (points == nullptr) continue;
      ChartSeries series;
      const bool only_train = absl::string_view(name.label) == "train";
      series.label = !held_out    ? name.label
                     : only_train ? "held out"
                                  : absl::StrCat(name.label, ", held out");
      series.points = *points;
      for (auto& [step, value] : series.points) value *= scale;
      series.colour = (name.colour + (held_out ? 1 : 0)) % 4;
      series.marks = held_out;
      series.smooth = !held_out;
      chart.series.push_back(std::move(series));
    }
  }
  return RenderChart(chart);
}

MetricPoints Ratio(const RunMetrics& metrics, const char* top, const char* bottom) {
  MetricPoints out;
  const MetricPoints* a = metrics.Find(top);
  const MetricPoints* b = metrics.Find(bottom);
  if (a == nullptr || b == nullptr) return out;
  for (size_t i = 0, k = 0; i < a->size(); ++i) {
    while (k < b->size() && (*b)[k].first < (*a)[i].first) ++k;
    if (k == b->size()) break;
    if ((*b)[k].first == (*a)[i].first && (*b)[k].second > 0) {
      out.emplace_back((*a)[i].first, (*a)[i].second / (*b)[k].second);
    }
  }
  return out;
}

std::string Charts(const RunMetrics& metrics) {
  Chart loss{.title = "Loss"};
  if (metrics.Find("rewards/margins") != nullptr) {
    loss.note = "dashed: ln 2, a coin flip";
    loss.reference = std::log(2.0);
  }
  std::string html = MetricChart(metrics, loss, {{"loss", "train", 0}});
  html += MetricChart(
      metrics,
      {.title = "Accuracy, %", .note = "chosen response has the higher reward", .reference = 50},
      {{"rewards/accuracies", "train", 0}}, 100);
  html += MetricChart(metrics, {.title = "Reward margin", .note = "chosen minus rejected"},
                      {{"rewards/margins", "train", 0}});
  html += MetricChart(metrics, {.title = "Rewards"},
                      {{"rewards/chosen", "chosen", 0}, {"rewards/rejected", "rejected", 2}});
  html += MetricChart(metrics, {.title = "Divergence from the reference", .from_zero = true},
                      {{"divergence/chosen", "chosen", 0}, {"divergence/rejected", "rejected", 2}});
  html += MetricChart(metrics, {.title = "Log-probability of responses", .note = "sums, nats"},
                      {{"logps/chosen", "chosen", 0}, {"logps/rejected", "rejected", 2}});
  html +=
      MetricChart(metrics, {.title = "Entropy", .note = "nats a token"}, {{"entropy", "train", 0}});
  html +=
      MetricChart(metrics, {.title = "Gradient norm", .note = "before clipping", .from_zero = true},
                  {{"grad_norm", "train", 0}});
  html += MetricChart(metrics, {.title = "Learning rate", .from_zero = true}, {{"lr", "rate", 0}});
  const auto derived = [&](const char* title, const char* top, const char* bottom) {
    Chart chart{.title = title, .from_zero = true};
    chart.series.push_back({"train", Ratio(metrics, top, bottom), 0, false, true});
    return RenderChart(chart);
  };
  html += derived("Tokens a second", "tokens", "step_seconds");
  html += derived("Tokens a pair", "tokens", "pairs");
  html += MetricChart(
      metrics, {.title = "Seconds a step", .from_zero = true},
      {{"step_seconds", "whole step", 0}, {"cache_wait_seconds", "waiting for records", 1}});
  html +=
      MetricChart(metrics, {.title = "Peak memory, GiB", .from_zero = true},
                  {{"memory_peak_bytes", "process", 0}, {"device_memory_peak_bytes", "device", 1}},
                  1.0 / (1 << 30));
  return html;
}

// The phases of run.json's "timings", e.g. "train_seconds".
std::string Timeline(const std::string& run_json) {
  const auto json = nlohmann::ordered_json::parse(run_json, nullptr, /*allow_exceptions=*/false);
  std::vector<std::pair<std::string, double>> parts;
  if (!json.is_object() || !json.contains("timings") || !json["timings"].is_object()) return "";
  for (const auto& [key, value] : json["timings"].items()) {
    if (!value.is_number()) continue;
    absl::string_view phase = key;
    absl::ConsumeSuffix(&phase, "_seconds");
    parts.emplace_back(std::string(phase), value.get<double>());
  }
  return RenderTimeBar(parts);
}

std::string TitleOf(const std::string& run_json, const std::string& job_yaml) {
  const auto json = nlohmann::ordered_json::parse(run_json, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("job") && json["job"].is_string()) {
    return json["job"].get<std::string>();
  }
  if (job_yaml.rfind("name: ", 0) == 0) return job_yaml.substr(6, job_yaml.find('\n') - 6);
  return "Training run";
}

std::string Section(const std::string& title, const std::string& body) {
  return body.empty() ? "" : absl::StrCat("<h2>", title, "</h2>", body);
}

}  // namespace

absl::StatusOr<std::string> RenderRunReport(const RunReportInput& input) {
  const RunMetrics metrics = ParseMetrics(input.metrics_jsonl);
  if (metrics.series.empty()) {
    return absl::InvalidArgumentError(
        "the run's metrics have no line with numbers; no report is made");
  }
  const std::string title = EscapeHtml(TitleOf(input.run_json, input.job_yaml));
  const std::string torn =
      metrics.skipped_lines == 0
          ? ""
          : absl::StrCat(" ", metrics.skipped_lines, " lines of the metrics could not be read.");
  const auto scroll = [](const std::string& table) {
    return table.empty() ? "" : "<div class=\"scroll\">" + table + "</div>";
  };
  std::string html = absl::StrCat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      title, "</title><style>", embedded::kRunReportCss, "</style></head><body><main><h1>", title,
      "</h1><p>Preference optimisation run. Thin lines are "
      "single steps, thick lines their moving average, dots evaluations.",
      torn, "</p>");
  html += RenderHeadlines(metrics);
  html += Section("Time", Timeline(input.run_json));
  html += Section("Training", absl::StrCat("<div class=\"charts\">", Charts(metrics), "</div>"));
  html += Section("Data", scroll(RenderAdmission(input.admission_json)));
  html += Section("Run", scroll(RenderFacts(input.run_json)));
  if (!input.job_yaml.empty()) {
    absl::StrAppend(&html, "<details><summary>Job file</summary><pre>", EscapeHtml(input.job_yaml),
                    "</pre></details>");
  }
  return html + "</main></body></html>\n";
}

absl::Status WriteRunReport(const std::string& out) {
  RunReportInput input;
  FPO_ASSIGN_OR_RETURN(input.metrics_jsonl, ReadFile(absl::StrCat(out, "/metrics.jsonl")));
  const std::pair<const char*, std::string*> optional[] = {
      {"run.json", &input.run_json},
      {"admission.json", &input.admission_json},
      {"job.yaml", &input.job_yaml}};
  for (const auto& [name, text] : optional) {
    auto read = ReadFile(absl::StrCat(out, "/", name), 1 << 26);
    if (read.ok()) *text = *std::move(read);
  }
  FPO_ASSIGN_OR_RETURN(const std::string html, RenderRunReport(input));
  return WriteFileAtomically(absl::StrCat(out, "/report.html"), html);
}

}  // namespace fpo::train
