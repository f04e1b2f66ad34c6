#include "train/report/report_tables.h"

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/page/html.h"

namespace fpo::train {
namespace {

using OrderedJson = nlohmann::ordered_json;
using Facts = std::vector<std::pair<std::string, std::string>>;

OrderedJson Parse(absl::string_view text) {
  return OrderedJson::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string ValueText(const OrderedJson& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return absl::StrFormat("%.6g", value.get<double>());
  if (value.is_null()) return "–";
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void Flatten(const std::string& name, const OrderedJson& value, Facts* facts) {
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

// What the card's number is of, if that is not the run's last step, and what it was at first.
std::string MetricNote(const CurvePoints& points, double last_step,
                       const std::function<std::string(double)>& text) {
  std::vector<std::string> notes;
  if (points.back().first < last_step) {
    notes.push_back(absl::StrCat("at step ", points.back().first));
  }
  if (points.size() > 1) notes.push_back("first " + text(points.front().second));
  return absl::StrJoin(notes, ", ");
}

// The evaluation's last value where there is one after a step, else training's: a run that was
// stopped before its second evaluation must not look as if it had learned nothing.
std::string MetricCard(const RunMetrics& metrics, const std::string& label, const std::string& name,
                       double scale = 1, const std::string& unit = "") {
  const CurvePoints* points = metrics.Find("eval_" + name);
  const CurvePoints* training = metrics.Find(name);
  const bool held_out = points != nullptr && (points->back().first > 0 || training == nullptr);
  if (!held_out) points = training;
  if (points == nullptr) return "";
  const auto text = [&](double value) { return absl::StrCat(ShortNumber(value * scale), unit); };
  return Card(absl::StrCat(label, held_out ? ", held out" : ""), text(points->back().second),
              MetricNote(*points, metrics.last_step, text));
}

double Sum(const CurvePoints* points) {
  double sum = 0;
  if (points != nullptr) {
    for (const auto& [step, value] : *points) sum += value;
  }
  return sum;
}

// The examples of one input, as a list below the table.
std::string Examples(const OrderedJson& input, const std::string& name) {
  std::string items;
  for (const char* key : {"malformed_examples", "dropped_examples"}) {
    if (!input.contains(key) || !input[key].is_array()) continue;
    for (const OrderedJson& item : input[key]) {
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

// One line of the table about the data: its words, and its value in one input.
struct AdmissionFact {
  std::string words;
  std::function<std::string(const OrderedJson& input)> text;
};

const OrderedJson* At(const OrderedJson& json, const std::vector<std::string>& path) {
  const OrderedJson* at = &json;
  for (const std::string& name : path) {
    if (!at->is_object() || !at->contains(name)) return nullptr;
    at = &(*at)[name];
  }
  return at;
}

double NumberAt(const OrderedJson& json, const std::vector<std::string>& path) {
  const OrderedJson* found = At(json, path);
  return found != nullptr && found->is_number() ? found->get<double>() : 0;
}

AdmissionFact Count(const std::string& words, const std::vector<std::string>& path) {
  return {words, [path](const OrderedJson& input) {
            return absl::StrFormat("%.0f", NumberAt(input, path));
          }};
}

AdmissionFact Word(const std::string& words, const std::string& name) {
  return {words, [name](const OrderedJson& input) {
            const OrderedJson* found = At(input, {name});
            return found == nullptr ? "–" : ValueText(*found);
          }};
}

AdmissionFact LengthsOf(const std::string& words, const std::string& part) {
  return {words, [part](const OrderedJson& input) {
            if (At(input, {"lengths", part}) == nullptr) return std::string("–");
            const auto at = [&](const char* name) {
              return absl::StrFormat("%.0f", NumberAt(input, {"lengths", part, name}));
            };
            return absl::StrCat(at("p50"), " / ", at("p90"), " / ", at("max"));
          }};
}

std::string ReasonText(const std::string& reason) {
  const std::map<std::string, std::string> words = {
      {"bad_roles", "roles that do not alternate"},
      {"empty_prompt", "an empty prompt"},
      {"empty_response", "an empty response"},
      {"id_outside_vocabulary", "a token id outside the vocabulary"},
      {"identical_pair", "two equal responses"},
      {"no_rejected_response", "no rejected response"},
      {"no_shared_prompt", "no shared prompt"}};
  const auto found = words.find(reason);
  return found == words.end() ? reason : found->second;
}

std::vector<AdmissionFact> AdmissionFacts(const OrderedJson& train, const OrderedJson& eval) {
  std::vector<AdmissionFact> facts = {Count("Rows read", {"rows"}),
                                      Count("Pairs or examples admitted", {"admitted"}),
                                      Count("Left out: malformed", {"malformed"})};
  std::set<std::string> reasons;
  for (const OrderedJson* input : {&train, &eval}) {
    const OrderedJson* dropped = At(*input, {"dropped"});
    if (dropped == nullptr || !dropped->is_object()) continue;
    for (const auto& [reason, count] : dropped->items()) reasons.insert(reason);
  }
  for (const std::string& reason : reasons) {
    facts.push_back(Count("Left out: " + ReasonText(reason), {"dropped", reason}));
  }
  const std::vector<AdmissionFact> rest = {
      Word("Chat template", "template"),
      Word("because of", "template_reason"),
      Count("Prompts cut", {"cut", "prompts"}),
      Count("Chosen responses cut", {"cut", "chosen"}),
      Count("Rejected responses cut", {"cut", "rejected"}),
      Count("Copies of earlier pairs", {"duplicates"}),
      Count("Pairs that the training data has too", {"shared_pairs"}),
      Count("Pairs with equal scores", {"equal_scores"}),
      Count("Pairs whose chosen response has the lower score", {"lower_scores"}),
      Count("Responses that begin with their prompt", {"repeated_prompts"}),
      Count("Responses without an end mark", {"missing_terminators"}),
      Count("Tokens", {"tokens"}),
      {"Share of response tokens",
       [](const OrderedJson& input) {
         return absl::StrFormat("%.0f %%", 100 * NumberAt(input, {"response_share"}));
       }},
      LengthsOf("Tokens of a prompt (half / 90 % / all are at most)", "prompt"),
      LengthsOf("Tokens of a chosen response", "chosen"),
      LengthsOf("Tokens of a rejected response", "rejected"),
      LengthsOf("Tokens of prompt and longer response", "total"),
      LengthsOf("The same before cutting", "uncut")};
  facts.insert(facts.end(), rest.begin(), rest.end());
  return facts;
}

std::string WarningParagraphs(const OrderedJson& input) {
  std::string html;
  if (!input.contains("warnings") || !input["warnings"].is_array()) return html;
  for (const OrderedJson& warning : input["warnings"]) {
    absl::StrAppend(&html, "<p class=\"warning\">", EscapeHtml(ValueText(warning)), "</p>");
  }
  return html;
}

// A table of the training data beside one set of evaluation data.
std::string AdmissionTable(const OrderedJson& train, const std::string& name,
                           const OrderedJson& eval) {
  std::string rows;
  for (const AdmissionFact& fact : AdmissionFacts(train, eval)) {
    rows += Row(fact.words, fact.text(train), eval.empty() ? "–" : fact.text(eval));
  }
  return absl::StrCat(name == "eval" ? WarningParagraphs(train) : "", WarningParagraphs(eval),
                      "<div class=\"scroll\"><table class=\"pair\"><thead><tr><th></th><td>train"
                      "</td><td>",
                      EscapeHtml(name), "</td></tr></thead><tbody>", rows, "</tbody></table></div>",
                      name == "eval" ? Examples(train, "train") : "", Examples(eval, name));
}

}  // namespace

std::string RenderHeadlines(const RunMetrics& metrics) {
  std::string html = "<section class=\"cards\">";
  html += Card("Steps", ShortNumber(metrics.last_step));
  html += MetricCard(metrics, "Loss", "loss");
  html += MetricCard(metrics, "Accuracy", "rewards/accuracies", 100, " %");
  html += MetricCard(metrics, "Reward margin", "rewards/margins");
  html += MetricCard(metrics, "Divergence, chosen", "divergence/chosen");
  html += MetricCard(metrics, "Entropy", "entropy");
  const double seconds = Sum(metrics.Find("step_seconds"));
  if (seconds > 0) {
    const double tokens = Sum(metrics.Find("tokens"));
    html += Card("Training time", ShortTime(seconds),
                 tokens > 0 ? absl::StrCat(ShortNumber(tokens / seconds), " tokens/s") : "");
  }
  const CurvePoints* memory = metrics.Find("memory_peak_bytes");
  if (memory != nullptr) {
    html += Card("Peak memory", absl::StrFormat("%.2f GiB", memory->back().second / (1 << 30)));
  }
  return html + "</section>";
}

std::string RenderAdmission(absl::string_view admission_json) {
  const OrderedJson json = Parse(admission_json);
  if (!json.is_object() || !json.contains("train")) return "";
  const OrderedJson none = OrderedJson::object();
  const OrderedJson& train = json["train"];
  const OrderedJson& eval = json.contains("eval") ? json["eval"] : none;
  std::string html = AdmissionTable(train, "eval", eval);
  for (const auto& [name, report] : json.items()) {  // further sets of data.eval
    if (name.rfind("eval.", 0) == 0) html += AdmissionTable(train, name, report);
  }
  return html;
}

std::string RenderFacts(absl::string_view json) {
  const OrderedJson value = Parse(json);
  if (!value.is_object() || value.empty()) return "";
  Facts facts;
  Flatten("", value, &facts);
  std::string html = "<div class=\"scroll\"><table class=\"facts\"><tbody>";
  for (const auto& [name, text] : facts) {
    absl::StrAppend(&html, "<tr><th>", EscapeHtml(name), "</th><td>", EscapeHtml(text),
                    "</td></tr>");
  }
  return html + "</tbody></table></div>";
}

}  // namespace fpo::train
