#include "common/inputs/sae_hook.h"

#include <array>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fpo {
namespace {

struct HookRow {
  const char* hook;  // after "layers.L." or "blocks.L."
  const char* site;
  bool of_layer_before = false;
};
// The first three are the names HookName gives.
constexpr std::array<HookRow, 11> kHooks = {{{"output", "resid_post"},
                                             {"post_feedforward_layernorm.output", "mlp_out"},
                                             {"self_attn.o_proj.input", "attn_z"},
                                             {"", "resid_post"},
                                             {"post_feedforward_layernorm", "mlp_out"},
                                             {"hook_resid_post", "resid_post"},
                                             {"hook_mlp_out", "mlp_out"},
                                             {"attn.hook_z", "attn_z"},
                                             {"hook_resid_pre", "resid_post", true},
                                             {"input", "resid_post", true},
                                             {"input_layernorm.input", "resid_post", true}}};

struct OtherHook {
  const char* hook;
  const char* why;
};
constexpr std::array<OtherHook, 9> kOthers = {{
    {"mlp",
     "it is the MLP before the norm that Gemma puts behind it; mlp_out is behind that norm (of "
     "Llama and Qwen, which have none, write hook_mlp_out)"},
    {"mlp.output",
     "it is the MLP before the norm that Gemma puts behind it; mlp_out is behind that norm (of "
     "Llama and Qwen, which have none, write hook_mlp_out)"},
    {"self_attn", "it is the output of attention; attn_z is the input of its last projection"},
    {"self_attn.output", "it is the output of attention; attn_z is the input of o_proj"},
    {"hook_attn_out", "it is the output of attention; attn_z (attn.hook_z) is read before o_proj"},
    {"self_attn.o_proj", "it is the output of o_proj; attn_z is its input"},
    {"hook_resid_mid", "it lies between attention and MLP"},
    {"hook_mlp_in", "it is the input of the MLP, as of a transcoder"},
    {"ln2.hook_normalized", "it is the input of the MLP, as of a transcoder"},
}};

// Prefixes of the text model's layers; a vision tower has layers too.
constexpr std::array<absl::string_view, 7> kPrefixes = {"blocks.",
                                                        "layers.",
                                                        "model.layers.",
                                                        "language_model.layers.",
                                                        "model.language_model.layers.",
                                                        "language_model.model.layers.",
                                                        "model.model.layers."};

// "12.hook_resid_post" of "blocks.12.hook_resid_post".
std::optional<absl::string_view> AfterPrefix(absl::string_view hook) {
  for (const absl::string_view prefix : kPrefixes) {
    if (absl::StartsWith(hook, prefix)) return hook.substr(prefix.size());
  }
  return std::nullopt;
}

absl::Status Unknown(absl::string_view hook, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("hook point ", hook, " is none of resid_post, mlp_out and attn_z of a layer",
                   why.empty() ? "" : absl::StrCat(": ", why)));
}

}  // namespace

absl::Status ParseHook(absl::string_view hook, SaeDescription* description) {
  const auto rest = AfterPrefix(hook);
  if (!rest) return Unknown(hook, "");
  const size_t dot = rest->find('.');
  const absl::string_view digits = rest->substr(0, dot);
  const absl::string_view part =
      dot == absl::string_view::npos ? absl::string_view() : rest->substr(dot + 1);
  int64_t layer = 0;
  if (!absl::SimpleAtoi(digits, &layer) || layer < 0) return Unknown(hook, "");
  if (part.empty() && absl::StartsWith(hook, "blocks.")) return Unknown(hook, "");
  for (const HookRow& row : kHooks) {
    if (part != row.hook) continue;
    if (row.of_layer_before && layer == 0) {
      return Unknown(hook, "it is the embedding, before the first layer");
    }
    description->layer = row.of_layer_before ? layer - 1 : layer;
    description->site = row.site;
    return absl::OkStatus();
  }
  for (const OtherHook& row : kOthers) {
    if (part == row.hook) return Unknown(hook, row.why);
  }
  return Unknown(hook, "");
}

std::string HookName(int64_t layer, const std::string& site) {
  for (const HookRow& row : kHooks) {
    if (site == row.site) return absl::StrCat("model.layers.", layer, ".", row.hook);
  }
  return "";
}

}  // namespace fpo
