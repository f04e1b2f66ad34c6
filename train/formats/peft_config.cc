#include "train/formats/peft_config.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

using ConfigJson = nlohmann::ordered_json;

constexpr int64_t kAdapterConfigBytesMax = 16 << 20;
constexpr size_t kPatternsMax = 100'000;
constexpr int64_t kRankMax = int64_t{1} << 20;

absl::Status NotUnderstood(const std::string& folder, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("adapter ", folder, ": ", why));
}

std::string TextOption(const ConfigJson& config, const char* name) {
  const auto it = config.find(name);
  return it != config.end() && it->is_string() ? it->get<std::string>() : "";
}

// null, false, 0, "", [] and {}.
bool IsOff(const ConfigJson& value) {
  return value.is_null() || value == false || value == 0 || value == 0.0 ||
         (!value.is_number() && !value.is_boolean() && value.empty());
}

// The words that begin with a matrix of their own beside an unchanged base; others subtract from
// the base what they start with.
bool LeavesTheBase(const ConfigJson& start) {
  return start.is_null() || start.is_boolean() || start == "gaussian" || start == "orthogonal" ||
         start == "eva";
}

// Options whose other values would be another arithmetic.
absl::Status CheckPlain(const std::string& folder, const ConfigJson& config) {
  if (const std::string kind = TextOption(config, "peft_type"); kind != "LORA") {
    return NotUnderstood(folder,
                         absl::StrCat("peft_type is \"", kind, "\"; only LORA is computed"));
  }
  if (const auto bias = config.find("bias"); bias != config.end() && *bias != "none") {
    return NotUnderstood(folder,
                         absl::StrCat("bias is ", bias->dump(), "; only \"none\" is computed"));
  }
  if (const auto start = config.find("init_lora_weights");
      start != config.end() && !LeavesTheBase(*start)) {
    return NotUnderstood(folder,
                         absl::StrCat("init_lora_weights is ", start->dump(),
                                      ", which changes the base model when PEFT loads it; save "
                                      "the adapter with path_initial_model_for_weight_conversion"));
  }
  for (const char* name :
       {"fan_in_fan_out", "lora_bias", "modules_to_save", "target_parameters",
        "trainable_token_indices", "layer_replication", "alora_invocation_tokens", "use_qalora",
        "use_bdlora", "arrow_config", "kasa_config", "monteclora_config", "velora_config"}) {
    const auto it = config.find(name);
    if (it == config.end() || IsOff(*it)) continue;
    return NotUnderstood(folder, absl::StrCat(name, " is ", it->dump(), ", which is not computed"));
  }
  return absl::OkStatus();
}

bool IsPositive(const ConfigJson& value) {
  return value.is_number() && value.get<double>() >= 1e-30 && value.get<double>() <= 1e30;
}

bool IsRank(const ConfigJson& value) {
  return value.is_number_integer() && IsPositive(value) && value.get<double>() <= kRankMax;
}

// A pattern is a regular expression of Python. Those that people write are names, in which a dot
// stands for any character as well as for itself.
absl::Status ReadPatterns(const std::string& folder, const ConfigJson& json, bool ranks,
                          PeftConfig* config) {
  const char* const name = ranks ? "rank_pattern" : "alpha_pattern";
  std::vector<std::pair<std::string, double>>& patterns = ranks ? config->ranks : config->alphas;
  const auto it = json.find(name);
  if (it == json.end() || IsOff(*it)) return absl::OkStatus();
  if (!it->is_object() || it->size() > kPatternsMax) {
    return NotUnderstood(folder, absl::StrCat(name, " is not an object of names and numbers"));
  }
  for (const auto& [pattern, value] : it->items()) {
    const std::string plain(absl::StripPrefix(pattern, "^"));
    const bool is_name = std::all_of(plain.begin(), plain.end(), [](unsigned char ch) {
      return absl::ascii_isalnum(ch) || ch == '_' || ch == '.';
    });
    if (!is_name) {
      return NotUnderstood(folder, absl::StrCat(name, " has the regular expression \"", pattern,
                                                "\"; only names of modules are understood"));
    }
    const bool fits = ranks ? IsRank(value) : IsPositive(value);
    if (!fits) {
      return NotUnderstood(folder, absl::StrCat(name, " of ", pattern, " is ", value.dump()));
    }
    patterns.emplace_back(pattern, value.get<double>());
  }
  return absl::OkStatus();
}

bool SameButDots(absl::string_view pattern, absl::string_view text) {
  return pattern.size() == text.size() &&
         std::equal(pattern.begin(), pattern.end(), text.begin(),
                    [](char wanted, char is) { return wanted == '.' || wanted == is; });
}

// As PEFT's: the whole name, or its end behind a dot.
bool Fits(absl::string_view pattern, absl::string_view module) {
  if (absl::ConsumePrefix(&pattern, "^")) return SameButDots(pattern, module);
  if (pattern.size() > module.size()) return false;
  const size_t begin = module.size() - pattern.size();
  return SameButDots(pattern, module.substr(begin)) && (begin == 0 || module[begin - 1] == '.');
}

double ValueOf(const std::vector<std::pair<std::string, double>>& patterns,
               absl::string_view module, double otherwise) {
  for (const auto& [pattern, value] : patterns) {
    if (Fits(pattern, module)) return value;
  }
  return otherwise;
}

}  // namespace

int64_t PeftConfig::RankOf(absl::string_view module) const {
  return static_cast<int64_t>(ValueOf(ranks, module, static_cast<double>(rank)));
}

double PeftConfig::ScaleOf(absl::string_view module) const {
  const auto of_module = static_cast<double>(RankOf(module));
  const double divisor = rank_stabilised ? std::sqrt(of_module) : of_module;
  return ValueOf(alphas, module, alpha) / divisor;
}

absl::StatusOr<PeftConfig> ReadPeftConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/adapter_config.json");
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kAdapterConfigBytesMax));
  return ParsePeftConfig(text, folder);
}

absl::StatusOr<PeftConfig> ParsePeftConfig(absl::string_view text, const std::string& folder) {
  const ConfigJson json =
      ConfigJson::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return NotUnderstood(folder, "adapter_config.json is not a JSON object");
  FPO_RETURN_IF_ERROR(CheckPlain(folder, json));
  for (const char* name : {"r", "lora_alpha"}) {
    if (const auto it = json.find(name); it != json.end() && IsPositive(*it)) continue;
    return NotUnderstood(folder, absl::StrCat("adapter_config.json has no ", name, " above 0"));
  }
  if (!IsRank(json["r"])) {
    return NotUnderstood(folder, absl::StrCat("r is not a whole number up to ", kRankMax));
  }
  PeftConfig config;
  config.rank = json["r"].get<int64_t>();
  config.alpha = json["lora_alpha"].get<double>();
  const auto is_set = [&](const char* name) {
    const auto it = json.find(name);
    return it != json.end() && !IsOff(*it);
  };
  config.rank_stabilised = is_set("use_rslora");
  config.dora = is_set("use_dora");
  FPO_RETURN_IF_ERROR(ReadPatterns(folder, json, true, &config));
  FPO_RETURN_IF_ERROR(ReadPatterns(folder, json, false, &config));
  config.base = TextOption(json, "base_model_name_or_path");
  return config;
}

std::string OnlyMergeable(const PeftConfig& config) {
  if (config.dora) return "use_dora";
  if (config.rank_stabilised) return "use_rslora";
  if (!config.ranks.empty()) return "rank_pattern";
  return config.alphas.empty() ? "" : "alpha_pattern";
}

}  // namespace fpo::train
