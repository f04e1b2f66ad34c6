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

}  // namespace

const std::vector<MethodInfo>& Methods() {
  static const std::vector<MethodInfo> methods = {
      {"sft", "Supervised fine-tuning on the chosen answers.", "none", {}},
      {"dpo",
       "DPO against a frozen reference, from cached records.",
       "cached",
       {"beta", "loss", "constraint", "sft_weight", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1"},
      {"ln_dpo",
       "Length-normalised DPO against a frozen reference, from cached records.",
       "cached",
       {"beta", "loss", "constraint", "sft_weight", "label_smoothing"},
       true,
       2,
       2,
       10},
      {"simpo",
       "SimPO: no reference.",
       "none",
       {"beta", "gamma", "loss", "constraint", "sft_weight", "label_smoothing"},
       true,
       2,
       2,
       10,
       "2"},
      {"simpo_kl",
       "SimPO with a KL constraint: the reference model stays in memory.",
       "online",
       {"beta", "alpha", "gamma", "stop_gradient", "loss", "constraint", "sft_weight",
        "label_smoothing"},
       true,
       2,
       2,
       10,
       "-",
       "-",
       "kl",
       "simpo"},
      {"tdpo1",
       "TDPO-1: DPO with the sequential KL of each response; the reference stays in memory.",
       "online",
       {"beta", "loss", "constraint", "sft_weight", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1",
       "-",
       "kl",
       "dpo"},
      {"tdpo2",
       "TDPO-2: TDPO with a weighted, one-sided KL; the reference stays in memory.",
       "online",
       {"beta", "alpha", "stop_gradient", "loss", "constraint", "sft_weight", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1",
       "0.5",
       "kl",
       "dpo"},
      {"fpo",
       "FPO: length-normalised preference training that holds SAE features near the reference's.",
       "cached",
       {"beta", "loss", "constraint", "sft_weight", "label_smoothing"},
       true,
       2,
       2,
       10,
       "0.1",
       "0.5",
       "features",
       "ln_dpo"},
      {"orpo",
       "ORPO: SFT on the chosen answers and an odds ratio against the rejected; no reference.",
       "none",
       {"beta"},
       false,
       0.1,
       0.1,
       1,
       "-",
       "-",
       "none",
       "",
       "beta (lambda in the paper) weighs the odds ratio beside the SFT loss, whose weight is 1"},
  };
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
