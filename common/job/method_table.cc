#include "common/job/method_table.h"

#include <algorithm>
#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo {

namespace {

// Keys that the constraint on features reads.
const std::vector<const char*> kFeatureKeys = {"alpha",         "top_k",    "feature_selection",
                                               "stop_gradient", "features", "feature_weights"};

bool Has(const std::vector<const char*>& keys, absl::string_view key) {
  return std::any_of(keys.begin(), keys.end(), [key](const char* one) { return key == one; });
}

// What methods with a margin of two responses read, and `more`.
std::vector<const char*> MarginKeys(const std::vector<const char*>& more = {}) {
  std::vector<const char*> keys = {"beta"};
  keys.insert(keys.end(), more.begin(), more.end());
  for (const char* key : {"loss", "constraint", "sft_weight", "label_smoothing"}) {
    keys.push_back(key);
  }
  return keys;
}

// Their log-probs are sums over a response's tokens.
MethodInfo OfSums(MethodInfo method) {
  method.beta = 0.1;
  method.beta_low = 0.01;
  method.beta_high = 0.5;
  return method;
}

MethodInfo OfMeans(MethodInfo method) {
  method.length_normalised = true;
  method.beta = 2;
  method.beta_low = 2;
  method.beta_high = 10;
  return method;
}

// DPO, SimPO and what is made of them.
std::vector<MethodInfo> MarginMethods() {
  return {
      OfSums({.name = "dpo",
              .about = "DPO against a frozen reference, from cached records.",
              .reference = "cached",
              .keys = MarginKeys(),
              .beta_paper = "0.1"}),
      OfMeans({.name = "ln_dpo",
               .about = "Length-normalised DPO against a frozen reference, from cached records.",
               .reference = "cached",
               .keys = MarginKeys()}),
      OfMeans({.name = "simpo",
               .about = "SimPO: no reference.",
               .reference = "none",
               .keys = MarginKeys({"gamma"}),
               .beta_paper = "2"}),
      OfMeans({.name = "simpo_kl",
               .about = "SimPO with a KL constraint: the reference model stays in memory.",
               .reference = "online",
               .keys = MarginKeys({"alpha", "gamma", "stop_gradient"}),
               .constraint = "kl",
               .without = "simpo"}),
      OfSums({.name = "tdpo1",
              .about =
                  "TDPO-1: DPO with the sequential KL of each response; the reference stays in "
                  "memory.",
              .reference = "online",
              .keys = MarginKeys(),
              .beta_paper = "0.1",
              .constraint = "kl",
              .without = "dpo"}),
      OfSums({.name = "tdpo2",
              .about = "TDPO-2: TDPO with a weighted, one-sided KL; the reference stays in memory.",
              .reference = "online",
              .keys = MarginKeys({"alpha", "stop_gradient"}),
              .beta_paper = "0.1",
              .alpha_paper = "0.5",
              .constraint = "kl",
              .without = "dpo"}),
      OfMeans({.name = "fpo",
               .about =
                   "FPO: length-normalised preference training that holds SAE features near the "
                   "reference's.",
               .reference = "cached",
               .keys = MarginKeys(),
               .beta_paper = "0.1",
               .alpha_paper = "0.5",
               .constraint = "features",
               .without = "ln_dpo"}),
  };
}

std::vector<MethodInfo> AllMethods() {
  std::vector<MethodInfo> methods = MarginMethods();
  methods.insert(methods.begin(),
                 MethodInfo{.name = "sft",
                            .about = "Supervised fine-tuning on the chosen answers.",
                            .reference = "none",
                            .keys = {}});
  methods.push_back(
      {.name = "orpo",
       .about = "ORPO: SFT on the chosen answers and an odds ratio against the rejected; no "
                "reference.",
       .reference = "none",
       .keys = {"beta"},
       .beta = 0.1,
       .beta_low = 0.1,
       .beta_high = 1,
       .beta_reason = "beta (lambda in the paper) weighs the odds ratio beside the SFT loss, whose "
                      "weight is 1"});
  methods.push_back(
      OfSums({.name = "kto",
              .about = "KTO: single answers, each labelled as desirable or not, against a frozen "
                       "reference.",
              .reference = "cached",
              .keys = {"beta", "desirable_weight", "undesirable_weight"}}));
  return methods;
}

}  // namespace

const std::vector<MethodInfo>& Methods() {
  static const std::vector<MethodInfo> methods = AllMethods();
  return methods;
}

const MethodInfo* FindMethod(absl::string_view name) {
  for (const MethodInfo& method : Methods()) {
    if (name == method.name) return &method;
  }
  return nullptr;
}

bool MethodReads(const MethodInfo& method, absl::string_view key) {
  const bool features = method.constraint == std::string("features");
  return key == "name" || Has(method.keys, key) || (features && Has(kFeatureKeys, key));
}

bool MethodReads(const MethodSection& section, absl::string_view key) {
  const MethodInfo* method = FindMethod(section.name);
  if (method == nullptr) return false;
  return MethodReads(*method, key) || (ComparesFeatures(section) && Has(kFeatureKeys, key));
}

std::string ConstraintOf(const MethodSection& section) {
  if (!section.constraint.empty()) return section.constraint;
  const MethodInfo* method = FindMethod(section.name);
  return method == nullptr ? "none" : method->constraint;
}

bool ComparesFeatures(const MethodSection& section) { return ConstraintOf(section) == "features"; }

const char* DefaultReferenceSource(const MethodSection& section) {
  const MethodInfo* method = FindMethod(section.name);
  if (method == nullptr) return "none";
  const bool none = method->reference == std::string("none");
  return none && ComparesFeatures(section) ? "cached" : method->reference;
}

const char* BetaReason(const MethodInfo& method) {
  if (*method.beta_reason != '\0') return method.beta_reason;
  return method.length_normalised
             ? "margins are means over tokens, of the order of 1 nat: a small beta keeps the "
               "sigmoid in its linear zone, where every pair pulls alike"
             : "margins are sums over tokens, tens of nats: a large beta saturates the sigmoid, "
               "and pairs stop teaching";
}

std::string BetaDefaults() {
  std::map<double, std::vector<std::string>, std::greater<>> names;
  for (const MethodInfo& method : Methods()) {
    if (method.beta > 0) names[method.beta].emplace_back(method.name);
  }
  std::vector<std::string> groups;
  for (const auto& [beta, methods] : names) {
    groups.push_back(absl::StrCat(beta, " for ", absl::StrJoin(methods, ", ")));
  }
  return absl::StrJoin(groups, "; ");
}

std::string BetaRange(const MethodInfo& method) {
  return absl::StrCat(method.beta_low, " to ", method.beta_high);
}

}  // namespace fpo
