#include "train/data/admission_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "train/data/admission_notes.h"

namespace fpo::train {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson LengthsJson(const LengthQuantiles& lengths) {
  return {{"min", lengths.minimum}, {"p10", lengths.p10}, {"p50", lengths.p50},
          {"p90", lengths.p90},     {"p99", lengths.p99}, {"max", lengths.maximum},
          {"mean", lengths.mean}};
}

OrderedJson ReportJson(const std::string& key, const AdmissionReport& report) {
  OrderedJson json = {{"template", report.template_name},
                      {"template_reason", report.template_reason},
                      {"max_length", report.max_length},
                      {"max_prompt_length", report.max_prompt_length},
                      {"rows", report.rows},
                      {"malformed", report.malformed},
                      {"examples", report.examples},
                      {"admitted", report.admitted},
                      {"dropped", OrderedJson(report.dropped)},
                      {"stopped_at_max_pairs", report.stopped_at_max_pairs},
                      {"cut",
                       {{"prompts", report.cut_prompts},
                        {"chosen", report.cut_chosen},
                        {"rejected", report.cut_rejected}}},
                      {"forms", OrderedJson(report.forms)},
                      {"texts_without_turns", report.texts_without_turns},
                      {"unseparated", report.unseparated},
                      {"boundary_moves", report.boundary_moves},
                      {"doubled_bos", report.doubled_bos},
                      {"missing_bos", report.missing_bos},
                      {"missing_terminators", report.missing_terminators},
                      {"literal_marks", report.literal_marks},
                      {"system_folded", report.system_folded},
                      {"off_prompt", report.off_prompt},
                      {"equal_scores", report.equal_scores},
                      {"lower_scores", report.lower_scores},
                      {"repeated_prompts", report.repeated_prompts},
                      {"duplicates", report.duplicates},
                      {"shared_pairs", report.shared.pairs},
                      {"shared_swapped", report.shared.swapped},
                      {"shared_prompts", report.shared.prompts},
                      {"tokens", report.tokens},
                      {"response_share", report.response_share}};
  if (report.desirable + report.undesirable > 0) {
    json["labels"] = {{"desirable", report.desirable}, {"undesirable", report.undesirable}};
  }
  json["lengths"] = {{"prompt", LengthsJson(report.prompt)},
                     {"chosen", LengthsJson(report.chosen)},
                     {"rejected", LengthsJson(report.rejected)},
                     {"total", LengthsJson(report.total)},
                     {"uncut", LengthsJson(report.uncut)}};
  json["warnings"] = AdmissionWarnings(key, report);
  json["malformed_examples"] = report.malformed_examples;
  json["dropped_examples"] = report.dropped_examples;
  return json;
}

}  // namespace

LengthQuantiles QuantilesOf(std::vector<int64_t> lengths) {
  LengthQuantiles out;
  if (lengths.empty()) return out;
  std::sort(lengths.begin(), lengths.end());
  // Nearest rank: the smallest length that at least this share of the examples does not exceed.
  const auto at = [&](double share) {
    const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(lengths.size())));
    return lengths[static_cast<size_t>(std::max<int64_t>(rank, 1) - 1)];
  };
  out.minimum = lengths.front();
  out.p10 = at(0.10);
  out.p50 = at(0.50);
  out.p90 = at(0.90);
  out.p99 = at(0.99);
  out.maximum = lengths.back();
  out.mean = static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), int64_t{0})) /
             static_cast<double>(lengths.size());
  return out;
}

std::string AdmissionJson(const AdmissionReport& train, const AdmissionReport* eval,
                          const std::vector<NamedReport>& more) {
  OrderedJson json;
  json["train"] = ReportJson("data.train", train);
  if (eval != nullptr) json["eval"] = ReportJson("data.eval", *eval);
  for (const auto& [name, report] : more) {
    json["eval." + name] = ReportJson("data.eval." + name, report);
  }
  // File names in examples may contain arbitrary bytes.
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace fpo::train
