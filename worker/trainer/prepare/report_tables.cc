#include "worker/trainer/prepare/report_tables.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/trainer/prepare/report_chart.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;
using Facts = std::vector<std::pair<std::string, std::string>>;

Json Parse(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string ValueText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return absl::StrFormat("%.6g", value.get<double>());
  if (value.is_null()) return "–";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Flatten(const std::string& name, const Json& value, Facts* facts) {
  if (!value.is_object()) {
    facts->emplace_back(name, ValueText(value));
    return;
  }
  for (const auto& [key, item] : value.items()) {
    Flatten(name.empty() ? key : absl::StrCat(name, ".", key), item, facts);
  }
}

std::string Card(const std::string& label, const std::string& value, const std::string& note = "") {
  return absl::StrCat("<div class=\"card\"><span>", label, "</span><b>", value, "</b><small>", note,
                      "</small></div>");
}

// The evaluation's last value where there is one, else training's; with the first value as the
// note.
std::string MetricCard(const RunMetrics& metrics, const std::string& label, const std::string& name,
                       double scale = 1, const std::string& unit = "") {
  const MetricPoints* points = metrics.Find("eval_" + name);
  const bool held_out = points != nullptr;
  if (!held_out) points = metrics.Find(name);
  if (points == nullptr) return "";
  return Card(absl::StrCat(label, held_out ? ", held out" : ""),
              absl::StrCat(HumanNumber(points->back().second * scale), unit),
              points->size() < 2
                  ? ""
                  : absl::StrCat("first ", HumanNumber(points->front().second * scale), unit));
}

double Sum(const MetricPoints* points) {
  double sum = 0;
  if (points != nullptr) {
    for (const auto& [step, value] : *points) sum += value;
  }
  return sum;
}

std::string Duration(double seconds) {
  if (seconds < 120) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.1f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

// The examples of one input, as a list below the table.
std::string Examples(const Json& input, const std::string& name) {
  std::string items;
  for (const char* key : {"malformed_examples", "dropped_examples"}) {
    if (!input.contains(key) || !input[key].is_array()) continue;
    for (const Json& item : input[key]) {
      absl::StrAppend(&items, EscapeHtml(ValueText(item)), "\n");
    }
  }
  if (items.empty()) return "";
  return absl::StrCat("<details><summary>Rows left out of ", name, ", examples</summary><pre>",
                      items, "</pre></details>");
}

std::string Row(const std::string& name, const std::string& train, const std::string& eval) {
  return absl::StrCat("<tr><th>", EscapeHtml(name), "</th><td>", EscapeHtml(train), "</td><td>",
                      EscapeHtml(eval), "</td></tr>");
}

}  // namespace

std::string RenderHeadlines(const RunMetrics& metrics) {
  std::string html = "<section class=\"cards\">";
  html += Card("Steps", HumanNumber(metrics.last_step));
  html += MetricCard(metrics, "Loss", "loss");
  html += MetricCard(metrics, "Accuracy", "rewards/accuracies", 100, " %");
  html += MetricCard(metrics, "Reward margin", "rewards/margins");
  html += MetricCard(metrics, "Divergence, chosen", "divergence/chosen");
  html += MetricCard(metrics, "Entropy", "entropy");
  const double seconds = Sum(metrics.Find("step_seconds"));
  if (seconds > 0) {
    const double tokens = Sum(metrics.Find("tokens"));
    html += Card("Training time", Duration(seconds),
                 tokens > 0 ? absl::StrCat(HumanNumber(tokens / seconds), " tokens/s") : "");
  }
  const MetricPoints* memory = metrics.Find("memory_peak_bytes");
  if (memory != nullptr) {
    html += Card("Peak memory", absl::StrFormat("%.2f GiB", memory->back().second / (1 << 30)));
  }
  return html + "</section>";
}

std::string RenderAdmission(absl::string_view admission_json) {
  const Json json = Parse(admission_json);
  if (!json.is_object() || !json.contains("train")) return "";
  Facts train, eval;
  Flatten("", json["train"], &train);
  if (json.contains("eval")) Flatten("", json["eval"], &eval);
  std::string rows;
  const auto is_list = [](const auto& fact) { return absl::EndsWith(fact.first, "_examples"); };
  train.erase(std::remove_if(train.begin(), train.end(), is_list), train.end());
  eval.erase(std::remove_if(eval.begin(), eval.end(), is_list), eval.end());
  for (const auto& [name, value] : train) {
    std::string other = eval.empty() ? "–" : "0";
    for (const auto& [eval_name, eval_value] : eval) {
      if (eval_name == name) other = eval_value;
    }
    rows += Row(name, value, other);
  }
  for (const auto& [name, value] : eval) {
    const bool known = std::any_of(train.begin(), train.end(),
                                   [&name = name](const auto& fact) { return fact.first == name; });
    if (!known) rows += Row(name, "0", value);
  }
  return absl::StrCat(
      "<table class=\"pair\"><thead><tr><th></th><td>train</td><td>eval</td></tr></thead>"
      "<tbody>",
      rows, "</tbody></table>", Examples(json["train"], "train"),
      json.contains("eval") ? Examples(json["eval"], "eval") : "");
}

std::string RenderFacts(absl::string_view json) {
  const Json value = Parse(json);
  if (!value.is_object() || value.empty()) return "";
  Facts facts;
  Flatten("", value, &facts);
  std::string html = "<table class=\"facts\"><tbody>";
  for (const auto& [name, text] : facts) {
    absl::StrAppend(&html, "<tr><th>", EscapeHtml(name), "</th><td>", EscapeHtml(text),
                    "</td></tr>");
  }
  return html + "</tbody></table>";
}

}  // namespace fpo::train
