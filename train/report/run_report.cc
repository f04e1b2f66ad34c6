#include "train/report/run_report.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/features/feature_report.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/page/html.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "train/report/report_tables.h"

namespace fpo::train {
namespace {

constexpr int64_t kFileBytesMax = int64_t{1} << 26;

// The parts of the page, in their order.
constexpr ReportPart kParts[] = {CurvesPart, FrontierPart, PairsPart, FeaturesPart,
                                 PhasesPart, RecordsPart,  DataPart,  FactsPart};

std::string TextAt(const nlohmann::json& object, const char* name) {
  std::string text;
  ReadMember(object, name, &text).IgnoreError();  // of another type: as if absent
  return text;
}

std::string TitleOf(const nlohmann::json& run, const std::string& job_yaml) {
  if (const std::string name = TextAt(run, "job"); !name.empty()) return name;
  if (job_yaml.rfind("name: ", 0) == 0) return job_yaml.substr(6, job_yaml.find('\n') - 6);
  return "Training run";
}

// "fpo, 94 of 94 steps, finished 2026-03-02T17:40:11Z."
std::string Summary(const nlohmann::json& run, const RunMetrics& metrics) {
  bool finished = false;
  double total = 0;
  ReadMember(run, "finished", &finished).IgnoreError();
  ReadMember(run, "total_steps", &total).IgnoreError();
  const std::string method = TextAt(run, "method");
  const std::string text = absl::StrCat(method.empty() ? "" : method + ", ", metrics.last_step,
                                        total > 0 ? absl::StrCat(" of ", total) : "", " steps, ");
  if (finished) return absl::StrCat(text, "finished ", TextAt(run, "finished_at"), ".");
  return absl::StrCat(text, "not finished: these are the numbers up to where it stopped.");
}

std::string Lead(const nlohmann::json& run, const RunMetrics& metrics) {
  std::string html = absl::StrCat("<p>", EscapeHtml(Summary(run, metrics)),
                                  " Faint lines are single steps, strong ones their moving "
                                  "average, dots evaluations on held-out pairs.");
  if (metrics.skipped_lines > 0) {
    absl::StrAppend(&html, " ", metrics.skipped_lines, " lines of the metrics could not be read.");
  }
  html += "</p>";
  const nlohmann::json* warnings = FindMember(run, "warnings");
  if (warnings != nullptr && warnings->is_array()) {
    for (const auto& warning : *warnings) {
      if (!warning.is_string()) continue;
      absl::StrAppend(&html, "<p class=\"warning\">", EscapeHtml(warning.get<std::string>()),
                      "</p>");
    }
  }
  return html + RenderHeadlines(metrics);
}

// The newest evaluations/step-N.jsonl; 0 without one.
int64_t NewestEvaluation(const std::string& out) {
  int64_t newest = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(out + "/evaluations", error)) {
    const std::string file = entry.path().filename().string();
    absl::string_view name = file;
    int64_t step = 0;
    if (absl::ConsumePrefix(&name, "step-") && absl::ConsumeSuffix(&name, ".jsonl") &&
        absl::SimpleAtoi(name, &step)) {
      newest = std::max(newest, step);
    }
  }
  return newest;
}

}  // namespace

absl::StatusOr<std::string> RenderRunReport(const RunFiles& files) {
  const RunMetrics metrics = ParseMetrics(files.metrics_jsonl);
  if (metrics.curves.series.empty()) {
    return absl::InvalidArgumentError(
        "the run's metrics have no line with numbers; no report is made");
  }
  const auto run = nlohmann::json::parse(files.run_json, nullptr, /*allow_exceptions=*/false);
  ChartPage page{.title = TitleOf(run, files.job_yaml), .lead_html = Lead(run, metrics)};
  for (const ReportPart part : kParts) {
    for (PageSection& section : part(files, metrics)) page.sections.push_back(std::move(section));
  }
  return RenderChartPage(page);
}

absl::Status WriteRunReport(const std::string& out) {
  RunFiles files;
  files.folder = out;
  FPO_ASSIGN_OR_RETURN(files.metrics_jsonl, ReadFile(absl::StrCat(out, "/metrics.jsonl")));
  files.pairs_step = NewestEvaluation(out);
  const std::string pairs = absl::StrCat("evaluations/step-", files.pairs_step, ".jsonl");
  const std::pair<std::string, std::string*> optional[] = {
      {"run.json", &files.run_json},
      {"admission.json", &files.admission_json},
      {kFeatureReportName, &files.features_json},
      {"job.yaml", &files.job_yaml},
      {pairs, &files.pairs_jsonl}};
  for (const auto& [name, text] : optional) {
    auto read = ReadFile(absl::StrCat(out, "/", name), kFileBytesMax);
    if (read.ok()) *text = *std::move(read);
  }
  FPO_ASSIGN_OR_RETURN(const std::string html, RenderRunReport(files));
  return WriteFileAtomically(absl::StrCat(out, "/report.html"), html);
}

}  // namespace fpo::train
