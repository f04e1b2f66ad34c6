#include "common/inputs/sae_config.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/inputs/other_sae_configs.h"
#include "common/inputs/sae_json.h"
#include "common/inputs/sae_lens_config.h"
#include "common/inputs/scope_configs.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using sae_json::Number;
using sae_json::ParseObject;
using sae_json::Refuse;
using sae_json::Whole;
using sae_json::Word;

std::optional<int64_t> LeadingNumber(absl::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  int64_t value = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &value)) return std::nullopt;
  return value;
}

// The number after `prefix` in a folder name such as "layer_9_width_16k".
std::optional<int64_t> NumberAfter(absl::string_view part, absl::string_view prefix) {
  if (!absl::ConsumePrefix(&part, prefix)) return std::nullopt;
  return LeadingNumber(part);
}

std::string SiteOfFolder(absl::string_view part) {
  if (absl::StartsWith(part, "gemma-scope-")) {
    if (absl::StrContains(part, "-mlp")) return "mlp_out";
    if (absl::StrContains(part, "-att")) return "attn_z";
    if (absl::StrContains(part, "-res")) return "resid_post";
    return "";
  }
  absl::ConsumeSuffix(&part, "_all");
  if (part == "resid_post" || part == "mlp_out") return std::string(part);
  return part == "attn_out" ? "attn_z" : "";
}

// Hub caches turn "google/gemma-scope-2b-pt-res" into "models--google--gemma-scope-2b-pt-res".
absl::string_view RepositoryName(absl::string_view part) {
  const size_t at = part.rfind("--");
  return at == absl::string_view::npos ? part : part.substr(at + 2);
}

absl::Status CheckArchitecture(const std::string& architecture, const std::string& file,
                               SaeDescription* description) {
  if (architecture == "standard") description->plain_relu = true;
  if (architecture.empty() || architecture == "standard" || architecture == "jumprelu" ||
      architecture == "jump_relu") {
    return absl::OkStatus();
  }
  return Refuse(file, absl::StrCat("its architecture is ", architecture,
                                   "; jump_relu and standard SAEs are read"));
}

absl::Status CheckNormalisation(const Json& json, const std::string& file) {
  const auto it = json.find("normalize_activations");
  if (it == json.end() || it->is_null() || *it == "none" || *it == false) return absl::OkStatus();
  return Refuse(file, absl::StrCat("normalize_activations is ", it->dump(), "; only none is read"));
}

// What a name says and the config does not; where both speak, the config counts.
void CompleteFromPath(const SaeDescription& path, const std::string& file, SaeDescription* out) {
  const auto differs = [&](const char* what, const std::string& config, const std::string& name) {
    out->notes.push_back(absl::StrCat("SAE ", file, ": its config says ", what, " ", config,
                                      ", a folder's name says ", name, "; the config counts"));
  };
  if (path.layer && out->layer && *path.layer != *out->layer) {
    differs("layer", absl::StrCat(*out->layer), absl::StrCat(*path.layer));
  }
  if (!path.site.empty() && !out->site.empty() && path.site != out->site) {
    differs("site", out->site, path.site);
  }
  if (!out->layer) out->layer = path.layer;
  if (out->site.empty()) out->site = path.site;
  if (!out->target_l0) out->target_l0 = path.target_l0;
}

absl::StatusOr<SaeDescription> ParseConfig(const SaeSource& source) {
  std::error_code error;
  if (source.format == SaeFormat::kQwenScope) return DescribeQwenScope(source.weights);
  if (!fs::exists(source.config, error)) return SaeDescription();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(source.config, 1 << 24));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, source.config));
  switch (source.format) {
    case SaeFormat::kSaeLens:
      return ParseSaeLensConfig(text, source.config);
    case SaeFormat::kSparsify:
      return ParseSparsifyConfig(text, source.config);
    case SaeFormat::kDictionaryLearning:
      return ParseDictionaryLearningConfig(text, source.config);
    case SaeFormat::kLlamaScope:
      return ParseLlamaScopeConfig(text, source.config);
    case SaeFormat::kQwenScope:  // has none
    case SaeFormat::kGemmaScope:
      break;
  }
  return ParseSaeConfig(text, source.config);
}

// Whether the config itself says that this is an SAE, so that no folder's name decides.
bool StatesItsType(const SaeSource& source) {
  std::error_code error;
  if (!fs::exists(source.config, error)) return false;
  if (source.format != SaeFormat::kGemmaScope) return true;
  const auto text = ReadFile(source.config, 1 << 24);
  const auto json = text.ok() ? ParseObject(*text, source.config) : text.status();
  return json.ok() && Word(*json, "type") == "sae";
}

// activation_scaler.json, which SAELens writes next to checkpoints whose factor is not folded.
absl::Status ReadScaler(const SaeSource& source, SaeDescription* out) {
  if (out->normalization.empty() || out->norm_factor) return absl::OkStatus();
  const fs::path file = fs::path(source.weights).parent_path() / "activation_scaler.json";
  std::error_code error;
  if (!fs::exists(file, error)) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(file.string(), 1 << 20));
  FPO_ASSIGN_OR_RETURN(out->norm_factor, ParseActivationScaler(text, file.string()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SaeDescription> DescribeSae(const SaeSource& source) {
  std::error_code error;
  FPO_ASSIGN_OR_RETURN(SaeDescription description, ParseConfig(source));
  FPO_RETURN_IF_ERROR(ReadScaler(source, &description));
  // Uses the absolute path: a relative one may begin below the folder that names the site.
  const std::string full = fs::absolute(source.weights, error).string();
  const absl::StatusOr<SaeDescription> path = DescribeSaePath(full);
  if (path.ok()) {
    CompleteFromPath(*path, source.weights, &description);
  } else if (!StatesItsType(source)) {
    return path.status();
  }
  if (!description.layer && absl::StrContains(full, "/embedding/")) {
    return Refuse(source.weights,
                  "its folder says embedding: it reads what comes before the first "
                  "layer, which is none of resid_post, mlp_out and attn_z");
  }
  // Residual repositories are those without a site in their names.
  if (description.site.empty() && description.layer && absl::EndsWith(source.weights, ".npz")) {
    description.site = "resid_post";
  }
  return description;
}

absl::StatusOr<SaeDescription> DescribeSaePath(const std::string& path) {
  SaeDescription description;
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  // Only the last folders can belong to the SAE's own naming: site/layer/width/l0/file.
  const size_t first = parts.size() > 8 ? parts.size() - 8 : 0;
  for (size_t i = first; i < parts.size(); ++i) {
    const absl::string_view part = RepositoryName(parts[i]);
    for (const absl::string_view kind : {"transcoder", "crosscoder", "affine"}) {
      if (absl::StrContains(part, kind)) {
        return Refuse(path, absl::StrCat("its path says ", kind,
                                         ", which reads one site and "
                                         "writes another; use an SAE of one site"));
      }
    }
    if (part == "clt") return Refuse(path, "it is a cross-layer transcoder");
    if (const auto layer = NumberAfter(part, "layer_")) description.layer = layer;
    if (const auto l0 = NumberAfter(part, "average_l0_")) {
      description.target_l0 = static_cast<double>(*l0);
    }
    const std::string site = SiteOfFolder(part);
    if (!site.empty()) description.site = site;
  }
  return description;
}

absl::StatusOr<SaeDescription> ParseSaeConfig(absl::string_view json, const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json config, ParseObject(json, file));
  SaeDescription description;
  const std::string type = Word(config, "type");
  if (!type.empty() && type != "sae") {
    return Refuse(file, absl::StrCat("its type is ", type, "; only sae is read"));
  }
  FPO_RETURN_IF_ERROR(CheckArchitecture(Word(config, "architecture"), file, &description));
  FPO_RETURN_IF_ERROR(CheckNormalisation(config, file));
  const auto affine = config.find("affine_connection");
  if (affine != config.end() && *affine == true) return Refuse(file, "it has an affine connection");
  const std::string hook = Word(config, "hf_hook_point_in");
  if (!hook.empty()) {
    FPO_RETURN_IF_ERROR(ParseHook(hook, &description));
    const std::string out = Word(config, "hf_hook_point_out");
    if (!out.empty() && out != hook) {
      return Refuse(file, absl::StrCat("it reads ", hook, " and writes ", out, ": a transcoder"));
    }
  }
  description.target_l0 = Number(config, "target_l0");
  description.l0 = Number(config, "l0");
  if (!description.target_l0) description.target_l0 = description.l0;
  sae_json::SetSizes(Whole(config, "d_in"), Whole(config, "width"), &description);
  return description;
}

}  // namespace fpo
