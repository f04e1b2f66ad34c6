#include "common/job/method_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fpo {

const std::vector<MethodInfo>& Methods() {
  static const std::vector<MethodInfo> methods = {
      {"sft", "Supervised fine-tuning on the chosen answers.", "none", {}},
      {"dpo",
       "DPO against a frozen reference, from cached records.",
       "cached",
       {"beta", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1"},
      {"ln_dpo",
       "Length-normalised DPO against a frozen reference, from cached records.",
       "cached",
       {"beta", "label_smoothing"},
       true,
       2,
       2,
       10},
      {"simpo",
       "SimPO: no reference.",
       "none",
       {"beta", "gamma", "label_smoothing"},
       true,
       2,
       2,
       10,
       "2"},
      {"simpo_kl",
       "SimPO with a KL constraint: the reference model stays in memory.",
       "online",
       {"beta", "alpha", "gamma", "stop_gradient", "label_smoothing"},
       true,
       2,
       2,
       10},
      {"tdpo1",
       "TDPO-1: DPO with the sequential KL of each response; the reference stays in memory.",
       "online",
       {"beta", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1"},
      {"tdpo2",
       "TDPO-2: TDPO with a weighted, one-sided KL; the reference stays in memory.",
       "online",
       {"beta", "alpha", "stop_gradient", "label_smoothing"},
       false,
       0.1,
       0.01,
       0.5,
       "0.1",
       "0.5"},
      {"fpo",
       "FPO: length-normalised preference training that holds SAE features near the reference's.",
       "cached",
       {"beta", "alpha", "top_k", "feature_selection", "stop_gradient", "features",
        "feature_weights", "label_smoothing"},
       true,
       2,
       2,
       10,
       "0.1",
       "0.5"},
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
  return key == "name" || std::any_of(method.keys.begin(), method.keys.end(),
                                      [key](const char* known) { return key == known; });
}

const char* BetaReason(const MethodInfo& method) {
  return method.length_normalised
             ? "margins are means over tokens, of the order of 1 nat: a small beta keeps the "
               "sigmoid in its linear zone, where every pair pulls alike"
             : "margins are sums over tokens, tens of nats: a large beta saturates the sigmoid, "
               "and pairs stop teaching";
}

std::string BetaDefaults() {
  const auto with = [](bool length_normalised, double* beta) {
    std::vector<std::string> names;
    for (const MethodInfo& method : Methods()) {
      if (method.beta == 0 || method.length_normalised != length_normalised) continue;
      names.emplace_back(method.name);
      *beta = method.beta;
    }
    return absl::StrJoin(names, ", ");
  };
  double normalised = 0, summed = 0;
  const std::string first = with(true, &normalised), second = with(false, &summed);
  return absl::StrCat(normalised, " for ", first, "; ", summed, " for ", second);
}

std::string BetaRange(const MethodInfo& method) {
  return absl::StrCat(method.beta_low, " to ", method.beta_high);
}

}  // namespace fpo
