#include "train/report/report_sections.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/features/feature_page.h"
#include "common/features/feature_report.h"
#include "common/page/html.h"
#include "common/text/json.h"
#include "train/report/report_tables.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

constexpr size_t kPointsMax = 1000;  // of a curve on the page

// An object; empty for a missing file or another text.
Json ObjectOf(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json : Json::object();
}

// Of another type: as if absent.
double NumberIn(const Json& object, const char* name) {
  double number = 0;
  ReadMember(object, name, &number).IgnoreError();
  return number;
}

std::string TextIn(const Json& object, const char* name) {
  std::string text;
  ReadMember(object, name, &text).IgnoreError();
  return text;
}

// What the method's divergence is.
std::string DivergenceName(const std::string& method) {
  if (method == "fpo") return "Feature MSE (D)";
  return absl::StartsWith(method, "tdpo") || method == "simpo_kl" ? "KL" : "Divergence";
}

}  // namespace

std::vector<PageSection> PhasesPart(const RunFiles& files, const RunMetrics&) {
  const Json run = ObjectOf(files.run_json);
  std::vector<std::pair<std::string, double>> parts;
  if (!run.contains("timings") || !run["timings"].is_object()) return {};
  for (const char* phase :
       {"prepare", "load", "reference", "train", "evaluate", "checkpoint", "export"}) {
    const double seconds = NumberIn(run["timings"], absl::StrCat(phase, "_seconds").c_str());
    if (seconds > 0) parts.emplace_back(phase, seconds);
  }
  return {{.title = "Phases", .html = PartsBar(parts, "s")}};
}

std::vector<PageSection> CurvesPart(const RunFiles&, const RunMetrics& metrics) {
  std::vector<PageSection> sections = StepSections({metrics.curves}, kPointsMax);
  if (metrics.longest > kPointsMax) {
    sections.front().html = absl::StrCat(
        "<p>Of ", metrics.longest, " steps the curves have at most ", kPointsMax,
        " points: the lowest and the highest value of each stretch, so that no spike is missing. "
        "Averages are over all steps. All numbers are in <code>metrics.jsonl</code>.</p>");
  }
  return sections;
}

std::vector<PageSection> FrontierPart(const RunFiles&, const RunMetrics& metrics) {
  return {{.title = "Accuracy against divergence", .figures = FrontierFigures({metrics.curves})}};
}

std::vector<PageSection> PairsPart(const RunFiles& files, const RunMetrics& metrics) {
  PageSection section{.title = "Held-out pairs"};
  const bool has_evaluation = metrics.Find("eval_loss") != nullptr;
  section.if_empty =
      has_evaluation
          ? "The pairs of the last evaluation are not in the run's folder, or too many to draw."
          : "No evaluation in this run: the job has no data.eval.";
  if (files.pairs_jsonl.empty()) return {section};
  const EvaluatedPairs pairs = ReadEvaluatedPairs(files.pairs_jsonl);
  section.figures =
      PairFigures({pairs}, DivergenceName(TextIn(ObjectOf(files.run_json), "method")));
  section.if_empty = "The last evaluation measured no divergence of single pairs.";
  if (!section.figures.empty()) {
    section.html =
        absl::StrCat("<p>", pairs.pairs.size(), " pairs at step ", files.pairs_step, ".</p>");
  }
  return {section};
}

std::vector<PageSection> FeaturesPart(const RunFiles& files, const RunMetrics&) {
  if (files.features_json.empty()) return {};
  const absl::StatusOr<FeatureReport> report = ParseFeatureReport(files.features_json);
  const std::string html =
      report.ok() ? FeaturePart({*report})
                  : absl::StrCat("<p class=\"warning\">features.json cannot be shown: ",
                                 EscapeHtml(report.status().message()), "</p>");
  return {{.title = "Features that moved", .html = html}};
}

std::vector<PageSection> RecordsPart(const RunFiles& files, const RunMetrics& metrics) {
  const Json run = ObjectOf(files.run_json);
  if (!run.contains("reference") || !run["reference"].is_object()) return {};
  const Json& reference = run["reference"];
  PageSection section{.title = "Records of the reference"};
  section.if_empty = TextIn(reference, "source") == "online"
                         ? "None: the reference model ran beside the policy (online)."
                         : "None: the method needs no reference.";
  section.html = PartsBar(
      {{"found, from the cache or an earlier start", NumberIn(reference, "records_reused")},
       {"computed by this run", NumberIn(reference, "records_computed")}},
      "records");
  if (section.html.empty()) return {section};
  double waited = 0;
  if (const CurvePoints* waits = metrics.Find("cache_wait_seconds")) {
    for (const auto& [step, seconds] : *waits) waited += seconds;
  }
  const double seconds = run.contains("timings") && run["timings"].is_object()
                             ? NumberIn(run["timings"], "reference_seconds")
                             : 0;
  absl::StrAppend(&section.html, "<p>Computing or fetching took ", ShortTime(seconds),
                  " before training; steps waited ", ShortTime(waited), " for records.</p>");
  return {section};
}

std::vector<PageSection> DataPart(const RunFiles& files, const RunMetrics&) {
  return {{.title = "Data", .html = RenderAdmission(files.admission_json)}};
}

std::vector<PageSection> FactsPart(const RunFiles& files, const RunMetrics&) {
  PageSection section{.title = "Run", .html = RenderFacts(files.run_json)};
  if (!files.job_yaml.empty()) {
    absl::StrAppend(&section.html, "<details><summary>Job file</summary><pre>",
                    EscapeHtml(files.job_yaml), "</pre></details>");
  }
  return {section};
}

}  // namespace fpo::train
