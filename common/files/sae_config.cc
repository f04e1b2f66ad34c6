#include "common/files/sae_config.h"

#include <array>
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
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct HookRow {
  const char* hook;  // after "layers.L." or "blocks.L."
  const char* site;
};
// The first three are the names HookName gives.
constexpr std::array<HookRow, 6> kHooks = {{{"output", "resid_post"},
                                            {"post_feedforward_layernorm.output", "mlp_out"},
                                            {"self_attn.o_proj.input", "attn_z"},
                                            {"hook_resid_post", "resid_post"},
                                            {"hook_mlp_out", "mlp_out"},
                                            {"attn.hook_z", "attn_z"}}};

absl::Status Refuse(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SAE ", file, " cannot be used: ", why));
}

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

absl::StatusOr<Json> ParseObject(absl::string_view text, const std::string& file) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Refuse(file, "it is not a JSON object");
  return json;
}

// A string field, "" when absent or not a string.
std::string Word(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::optional<int64_t> Whole(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number_integer()) return std::nullopt;
  return it->get<int64_t>();
}

std::optional<double> Number(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number()) return std::nullopt;
  return it->get<double>();
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

// Combines names and configs; a contradiction is an error, not a choice.
absl::Status Merge(const SaeDescription& from, const std::string& file, SaeDescription* into) {
  if (from.layer && into->layer && *from.layer != *into->layer) {
    return Refuse(file, absl::StrCat("its config says layer ", *from.layer, ", its folder layer ",
                                     *into->layer));
  }
  if (!from.site.empty() && !into->site.empty() && from.site != into->site) {
    return Refuse(file,
                  absl::StrCat("its config says site ", from.site, ", its folder ", into->site));
  }
  if (from.layer) into->layer = from.layer;
  if (!from.site.empty()) into->site = from.site;
  if (from.target_l0) into->target_l0 = from.target_l0;
  if (from.l0) into->l0 = from.l0;
  if (from.d_in) into->d_in = from.d_in;
  into->apply_b_dec_to_input |= from.apply_b_dec_to_input;
  into->plain_relu |= from.plain_relu;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SaeSource> FindSaeSource(const std::string& path) {
  std::error_code error;
  const fs::path given(path);
  if (!fs::exists(given, error)) {
    return absl::NotFoundError(absl::StrCat("there is no SAE file or folder ", path));
  }
  const bool folder = fs::is_directory(given, error);
  const fs::path home = folder ? given : given.parent_path();
  if (folder) {
    if (fs::exists(home / "cfg.json", error) &&
        fs::exists(home / "sae_weights.safetensors", error)) {
      return SaeSource{(home / "sae_weights.safetensors").string(), (home / "cfg.json").string(),
                       true};
    }
    for (const char* name : {"params.npz", "params.safetensors"}) {
      if (fs::exists(home / name, error)) {
        return SaeSource{(home / name).string(), (home / "config.json").string()};
      }
    }
    return Refuse(path,
                  "the folder has neither params.npz, params.safetensors nor cfg.json with "
                  "sae_weights.safetensors");
  }
  const std::string ending = given.extension().string();
  if (ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".pkl") {
    return Refuse(path, "pickle files can run code when read; convert it to safetensors or npz");
  }
  if (ending != ".npz" && ending != ".safetensors") {
    return Refuse(path,
                  absl::StrCat("unknown ending \"", ending, "\"; .npz and .safetensors are read"));
  }
  if (given.filename() == "sae_weights.safetensors" && fs::exists(home / "cfg.json", error)) {
    return SaeSource{path, (home / "cfg.json").string(), true};
  }
  return SaeSource{path, (home / "config.json").string()};
}

absl::StatusOr<SaeDescription> DescribeSae(const SaeSource& source) {
  std::error_code error;
  // Uses the absolute path: a relative one may begin below the folder that names the site.
  const fs::path full = fs::absolute(source.weights, error);
  FPO_ASSIGN_OR_RETURN(SaeDescription description, DescribeSaePath(full.string()));
  if (fs::exists(source.config, error)) {
    FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(source.config, 1 << 24));
    FPO_ASSIGN_OR_RETURN(const SaeDescription said, source.saelens
                                                        ? ParseSaeLensConfig(text, source.config)
                                                        : ParseSaeConfig(text, source.config));
    FPO_RETURN_IF_ERROR(Merge(said, source.config, &description));
  }
  // Residual repositories are those without a site in their names.
  if (description.site.empty() && description.layer && absl::EndsWith(source.weights, ".npz")) {
    description.site = "resid_post";
  }
  return description;
}

absl::Status ParseHook(absl::string_view hook, SaeDescription* description) {
  for (const absl::string_view prefix : {"layers.", "blocks."}) {
    const size_t at = hook.find(prefix);
    if (at == absl::string_view::npos) continue;
    const absl::string_view rest = hook.substr(at + prefix.size());
    const auto layer = LeadingNumber(rest);
    const size_t dot = rest.find('.');
    if (!layer || dot == absl::string_view::npos) continue;
    for (const HookRow& row : kHooks) {
      if (rest.substr(dot + 1) != row.hook) continue;
      description->layer = layer;
      description->site = row.site;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("hook point ", hook, " is none of resid_post, mlp_out and attn_z of a layer"));
}

std::string HookName(int64_t layer, const std::string& site) {
  for (const HookRow& row : kHooks) {
    if (site == row.site) return absl::StrCat("model.layers.", layer, ".", row.hook);
  }
  return "";
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
  description.d_in = Whole(config, "d_in");
  return description;
}

absl::StatusOr<SaeDescription> ParseSaeLensConfig(absl::string_view json, const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const Json config, ParseObject(json, file));
  const auto nested = config.find("metadata");
  const Json metadata = nested != config.end() && nested->is_object() ? *nested : Json::object();
  SaeDescription description;
  // Files older than the field are all plain ReLU SAEs.
  const std::string architecture = Word(config, "architecture");
  FPO_RETURN_IF_ERROR(
      CheckArchitecture(architecture.empty() ? "standard" : architecture, file, &description));
  for (const char* key : {"activation_fn", "activation_fn_str"}) {
    const std::string activation = Word(config, key);
    if (!activation.empty() && activation != "relu") {
      return Refuse(file, absl::StrCat("its activation is ", activation, "; only relu is read"));
    }
  }
  FPO_RETURN_IF_ERROR(CheckNormalisation(config, file));
  FPO_RETURN_IF_ERROR(CheckNormalisation(metadata, file));
  if (config.value("finetuning_scaling_factor", false)) {
    return Refuse(file, "it has a finetuning scaling factor");
  }
  const auto subtract = config.find("apply_b_dec_to_input");
  if (subtract != config.end()) {
    if (!subtract->is_boolean()) return Refuse(file, "apply_b_dec_to_input is not true or false");
    description.apply_b_dec_to_input = subtract->get<bool>();
  }
  description.d_in = Whole(config, "d_in");
  std::string hook = Word(config, "hook_name");
  if (hook.empty()) hook = Word(metadata, "hook_name");
  if (!hook.empty()) FPO_RETURN_IF_ERROR(ParseHook(hook, &description));
  const std::string hook_out = Word(metadata, "hook_name_out");
  if (!hook_out.empty() && hook_out != hook) {
    return Refuse(file,
                  absl::StrCat("it reads ", hook, " and writes ", hook_out, ": a transcoder"));
  }
  return description;
}

}  // namespace fpo
