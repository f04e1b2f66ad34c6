#include "common/inputs/scope_configs.h"

#include <cmath>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/inputs/sae_hook.h"
#include "common/inputs/sae_json.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

using Json = nlohmann::json;
using sae_json::Number;
using sae_json::Refuse;
using sae_json::Whole;
using sae_json::Word;

constexpr absl::string_view kQwenBefore = "layer", kQwenBehind = ".sae.safetensors";

// Rows are multiplied by sqrt(d_model) / norm before the encoder.
absl::Status SetDatasetNorm(const Json& config, const std::string& file, SaeDescription* out) {
  const std::string norm = Word(config, "norm_activation");
  if (norm == "inference" || norm == "none") return absl::OkStatus();
  if (norm != "dataset-wise") {
    return Refuse(file, absl::StrCat("norm_activation is ", norm.empty() ? "not stated" : norm,
                                     "; dataset-wise and none are read: others scale each row by "
                                     "itself, which cannot be folded into the arrays"));
  }
  const Json norms = config.value("dataset_average_activation_norm", Json());
  const auto in = norms.is_object() ? Number(norms, "in") : std::nullopt;
  const auto width = Whole(config, "d_model");
  if (!in || !(*in > 0) || !width || *width <= 0) {
    return Refuse(file,
                  "norm_activation dataset-wise needs d_model and a positive "
                  "dataset_average_activation_norm.in");
  }
  out->norm_factor = std::sqrt(static_cast<double>(*width)) / *in;
  return absl::OkStatus();
}

absl::Status SetHook(const Json& config, const std::string& file, SaeDescription* out) {
  const std::string in = Word(config, "hook_point_in"), to = Word(config, "hook_point_out");
  if (!to.empty() && to != in) {
    return Refuse(file, absl::StrCat("it reads ", in, " and writes ", to, ": a transcoder"));
  }
  const absl::Status status = ParseHook(in, out);
  return status.ok() ? status : Refuse(file, status.message());
}

}  // namespace

absl::StatusOr<SaeDescription> ParseLlamaScopeConfig(absl::string_view json,
                                                     const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json config, sae_json::ParseObject(json, file));
  SaeDescription out;
  FPO_RETURN_IF_ERROR(SetHook(config, file, &out));
  FPO_ASSIGN_OR_RETURN(const bool gated, sae_json::Flag(config, "use_glu_encoder", false, file));
  if (gated) return Refuse(file, "use_glu_encoder is true: its encoder is gated");
  const std::string activation = Word(config, "act_fn");
  if (activation != "jumprelu") {
    return Refuse(file, absl::StrCat("act_fn is ", activation.empty() ? "not stated" : activation,
                                     "; jumprelu is read"));
  }
  FPO_ASSIGN_OR_RETURN(out.apply_b_dec_to_input,
                       sae_json::Flag(config, "apply_decoder_bias_to_pre_encoder", false, file));
  FPO_ASSIGN_OR_RETURN(out.rescale_by_decoder_norm,
                       sae_json::Flag(config, "sparsity_include_decoder_norm", true, file));
  FPO_RETURN_IF_ERROR(SetDatasetNorm(config, file, &out));
  const auto threshold = Number(config, "jump_relu_threshold");
  if (!threshold || !(*threshold >= 0)) {
    return Refuse(file, "it has no jump_relu_threshold of at least 0");
  }
  // It is of rows as they are: of codes that the factor of rows has not multiplied.
  out.threshold = *threshold * out.norm_factor.value_or(1);
  sae_json::SetSizes(Whole(config, "d_model"), Whole(config, "d_sae"), &out);
  if (const auto k = Number(config, "top_k")) out.target_l0 = k;
  return out;
}

bool IsQwenScopeName(absl::string_view file_name) {
  int64_t layer = 0;
  return absl::ConsumePrefix(&file_name, kQwenBefore) &&
         absl::ConsumeSuffix(&file_name, kQwenBehind) && absl::SimpleAtoi(file_name, &layer) &&
         layer >= 0;
}

absl::StatusOr<SaeDescription> DescribeQwenScope(const std::string& path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  SaeDescription out;
  absl::string_view name = parts.back();
  int64_t layer = 0;
  absl::ConsumePrefix(&name, kQwenBefore);
  absl::ConsumeSuffix(&name, kQwenBehind);
  if (!absl::SimpleAtoi(name, &layer)) return Refuse(path, "its name does not say its layer");
  out.layer = layer;
  out.site = "resid_post";
  for (const absl::string_view part : parts) {
    const size_t at = part.rfind("-L0_");
    int64_t k = 0;
    if (at == part.npos || !absl::SimpleAtoi(part.substr(at + 4), &k) || k <= 0) continue;
    out.top_k = k;
  }
  if (out.top_k == 0) {
    return Refuse(path,
                  "a Qwen-Scope SAE keeps the k largest features, and k stands in the name "
                  "of its repository alone: keep the file in a folder named as that, e.g. "
                  "SAE-Res-Qwen3-1.7B-Base-W32K-L0_50");
  }
  out.plain_relu = true;
  out.target_l0 = static_cast<double>(out.top_k);
  out.notes.push_back(absl::StrCat("SAE ", path, ": k is ", out.top_k, " by its folder's name; ",
                                   "what is negative among the k largest counts as 0"));
  return out;
}

}  // namespace fpo
