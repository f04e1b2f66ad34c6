#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// What adapter_config.json of a folder of Hugging Face's PEFT says of a LoRA adapter. Which modules
// it adapts is said by its tensors alone: target_modules, in any of its forms, chose them once.
struct PeftConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool rank_stabilised = false;  // rsLoRA: alpha / sqrt(rank)
  bool dora = false;
  // Ranks and alphas of some modules; the first pattern that fits counts.
  std::vector<std::pair<std::string, double>> ranks, alphas;
  std::string base;  // base_model_name_or_path, as written

  // Of a module by its name in the model: "model.layers.0.self_attn.q_proj".
  int64_t RankOf(absl::string_view module) const;
  double ScaleOf(absl::string_view module) const;
};

// InvalidArgument names the option that is not understood, or whose arithmetic is not known here:
// biases, whole modules saved, starts that change the base (PiSSA, OLoRA, CorDA, LoftQ), replicated
// layers, patterns that are regular expressions. `folder` is named in messages.
absl::StatusOr<PeftConfig> ParsePeftConfig(absl::string_view json, const std::string& folder);
// The same of FOLDER/adapter_config.json; NotFound: no such folder or file.
absl::StatusOr<PeftConfig> ReadPeftConfig(const std::string& folder);

// What makes the arithmetic of training another one, "use_rslora"; empty: nothing. Such an adapter
// can be merged, but not trained on.
std::string OnlyMergeable(const PeftConfig& config);

}  // namespace fpo::train
