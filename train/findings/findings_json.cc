#include "train/findings/findings_json.h"

#include <nlohmann/json.hpp>

#include "train/data/pair_identity.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

Json PlaceJson(const ShownPair& pair) {
  Json json = {{"data", pair.is_eval ? "eval" : "train"}, {"index", pair.index}, {"row", pair.row}};
  if (!pair.id.empty()) json["id"] = pair.id;
  return json;
}

Json ShownJson(const ShownPair& pair) {
  Json json = PlaceJson(pair);
  json["prompt"] = pair.prompt;
  json["chosen"] = pair.chosen;
  json["rejected"] = pair.rejected;
  return json;
}

Json SpanJson(const FoundSpan& span) {
  Json json = PlaceJson(span.pair);
  json["side"] = span.is_chosen ? "chosen" : "rejected";
  json["activation"] = span.activation;
  json["before"] = span.before;
  json["strong"] = span.strong;
  json["after"] = span.after;
  return json;
}

Json FeatureJson(const FeatureFinding& feature) {
  const FeatureTest& test = feature.test;
  Json json = {{"name", feature.name},
               {"share", test.share},
               {"pairs_more", test.more},
               {"pairs_less", test.less},
               {"mean", test.mean},
               {"effect", test.effect},
               {"p", test.p},
               {"q", test.q},
               {"effect_at_equal_length", test.effect_at_equal_length},
               {"p_at_equal_length", test.p_at_equal_length},
               {"q_at_equal_length", test.q_at_equal_length}};
  if (!feature.spans.empty()) json["spans"] = Json::array();
  for (const FoundSpan& span : feature.spans) json["spans"].push_back(SpanJson(span));
  return json;
}

template <typename T>
Json ListJson(const std::vector<T>& items, Json (*of)(const T&)) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(of(item));
  return json;
}

Json SuspectJson(const SuspectLabel& suspect) {
  Json json = ShownJson(suspect.pair);
  json["right"] = suspect.right;
  json["reference_margin"] = suspect.reference_margin;
  json["tokens/chosen"] = suspect.chosen_tokens;
  json["tokens/rejected"] = suspect.rejected_tokens;
  return json;
}

Json NearJson(const NearFinding& near) {
  return {{"jaccard", near.jaccard},
          {"opposite", near.is_opposite},
          {"first", ShownJson(near.first)},
          {"second", ShownJson(near.second)}};
}

Json LabelsJson(const Findings& findings) {
  if (!findings.labels.has_value()) return {{"unchecked", findings.labels_unchecked}};
  const LabelCheck& check = *findings.labels;
  return {{"agreement", check.agreement},
          {"log_loss", check.log_loss},
          {"fitted", check.fitted},
          {"c", check.c},
          {"self_check",
           {{"flipped", check.flipped}, {"found_in_first_tenth", check.found_in_first_tenth}}},
          {"suspects", ListJson(findings.suspects, SuspectJson)}};
}

}  // namespace

std::string FindingsJson(const Findings& findings) {
  Json json = {{"job", findings.job},
               {"train_pairs", findings.train_pairs},
               {"eval_pairs", findings.eval_pairs},
               {"data_digest", findings.data_digest},
               {"records",
                {{"file", findings.records},
                 {"recipe_id", findings.recipe_id},
                 {"computed", findings.records_computed},
                 {"reused", findings.records_reused}}},
               {"warnings", findings.warnings},
               {"labels", LabelsJson(findings)}};
  json["features"] = {{"tested", findings.features_tested},
                      {"separating", findings.features_separating},
                      {"separating_at_equal_length", findings.features_separating_at_equal_length},
                      {"plain", ListJson(findings.plain, FeatureJson)},
                      {"list", ListJson(findings.features, FeatureJson)}};
  json["copies"] = {{"repeated", findings.repeated.repeated},
                    {"repeated_prompts", findings.repeated.repeated_prompts},
                    {"contradictions", findings.repeated.contradictions},
                    {"near_threshold", findings.near_threshold},
                    {"near", findings.near_pairs},
                    {"near_opposite", findings.near_opposite},
                    {"contradicting", ListJson(findings.contradictions, NearJson)},
                    {"alike", ListJson(findings.near, NearJson)}};
  json["leaks"] = {{"pairs", findings.shared.pairs},
                   {"swapped", findings.shared.swapped},
                   {"prompts", findings.shared.prompts},
                   {"near", findings.near_leaks},
                   {"copies", ListJson(findings.copies, NearJson)},
                   {"alike", ListJson(findings.leaks, NearJson)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string InspectedPairJson(const InspectedPair& pair, const PairFeatures::Row& row,
                              const std::optional<LabelCheck>& labels) {
  Json json = {{"index", pair.index}};
  if (!pair.id.empty()) json["id"] = pair.id;
  json["row"] = pair.tokens.row;
  json["pair"] = PairName(pair.tokens);
  if (labels.has_value()) json["right"] = labels->right[static_cast<size_t>(pair.index)];
  json["reference_margin"] = row.logp_per_token;
  json["tokens/chosen"] = row.chosen_tokens;
  json["tokens/rejected"] = row.rejected_tokens;
  json["group"] = pair.group;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fpo::train
