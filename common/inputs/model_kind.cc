#include "common/inputs/model_kind.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

using Json = nlohmann::json;

constexpr char kSupported[] =
    "supported are gemma2, gemma3_text, gemma3 with a text_config, llama and qwen3";
constexpr std::array<const char*, 5> kSupportedTypes = {"gemma2", "gemma3", "gemma3_text", "llama",
                                                        "qwen3"};

struct ForeignType {
  const char* prefix;  // of model_type
  const char* name;
  const char* why;
};
// The first prefix that fits counts.
constexpr std::array<ForeignType, 30> kForeign = {{
    {"gemma3n", "Gemma 3n", "its layers have per-layer inputs and AltUp"},
    {"gemma4", "Gemma 4", "its layers differ"},
    {"gemma", "Gemma 1", "its layers have two norms and other activations"},
    {"embedding_gemma", "EmbeddingGemma", "it computes embeddings of texts and predicts no tokens"},
    {"embeddinggemma", "EmbeddingGemma", "it computes embeddings of texts and predicts no tokens"},
    {"diffusion_gemma", "Diffusion Gemma", "it does not predict tokens from left to right"},
    {"paligemma", "PaliGemma", "it reads an image before the text"},
    {"colpali", "ColPali", "it embeds images"},
    {"recurrent_gemma", "RecurrentGemma", "its layers are recurrent"},
    {"shieldgemma2", "ShieldGemma 2", "it classifies images"},
    {"t5gemma", "T5Gemma", "it has an encoder and a decoder"},
    {"vaultgemma", "VaultGemma", "its layers lack the norms behind attention and MLP"},
    {"codegemma", "CodeGemma", "it is a Gemma 1"},
    {"siglip", "a vision tower", "it reads images"},
    {"llama4", "Llama 4", "its layers are mixtures of experts, and some have no rotation"},
    {"mllama", "a Llama 3.2 with images", "some of its layers read images"},
    {"llava", "a LLaVA", "it reads an image before the text"},
    {"qwen2_moe", "a Qwen 2 of experts", "its layers are mixtures of experts"},
    {"qwen2_vl", "a Qwen 2 with images", "its rotation has three axes"},
    {"qwen2_5_vl", "a Qwen 2.5 with images", "its rotation has three axes"},
    {"qwen2", "Qwen 2 or 2.5", "its projections of queries, keys and values have biases"},
    {"qwen3_moe", "a Qwen 3 of experts", "its layers are mixtures of experts"},
    {"qwen3_vl", "a Qwen 3 with images", "it reads images"},
    {"qwen3_omni", "a Qwen 3 Omni", "it reads sounds and images"},
    {"qwen3_next", "Qwen 3 Next", "most of its layers are recurrent"},
    {"qwen3_5", "Qwen 3.5", "most of its layers are recurrent"},
    {"qwen", "Qwen 1", "its weights have other names and biases"},
    {"mistral", "Mistral", "only the families below are compared with transformers"},
    {"mixtral", "Mixtral", "its layers are mixtures of experts"},
    {"phi", "a Phi", "only the families below are compared with transformers"},
}};

}  // namespace

std::string ForeignModelType(absl::string_view model_type) {
  if (std::find(kSupportedTypes.begin(), kSupportedTypes.end(), model_type) !=
      kSupportedTypes.end())
    return "";
  for (const ForeignType& row : kForeign) {
    const bool fits = absl::string_view(row.prefix) == "gemma"
                          ? model_type == row.prefix
                          : absl::StartsWith(model_type, row.prefix);
    if (fits) {
      return absl::StrCat("is ", row.name, ", which cannot be trained here: ", row.why, "; ",
                          kSupported);
    }
  }
  return absl::StrCat("is none that can be trained here; ", kSupported);
}

std::string QuantisationName(absl::string_view json) {
  const Json config = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (config.is_null() || (config.is_object() && config.empty())) return "";
  if (!config.is_object()) return "an unknown method";
  const auto text = [&](const char* key) {
    const auto it = config.find(key);
    return it != config.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  const auto is = [&](const char* key) {
    const auto it = config.find(key);
    return it != config.end() && *it == true;
  };
  std::string name = text("quant_method");
  if (name.empty()) name = is("load_in_4bit") || is("load_in_8bit") ? "bitsandbytes" : "unnamed";
  const auto bits = config.find("bits");
  if (is("load_in_4bit") || is("_load_in_4bit")) {
    const std::string kind = text("bnb_4bit_quant_type");
    return absl::StrCat(name, kind.empty() ? " (4 bits)" : absl::StrCat(" (", kind, ")"));
  }
  if (is("load_in_8bit") || is("_load_in_8bit")) return name + " (8 bits)";
  if (bits != config.end() && bits->is_number_integer()) {
    return absl::StrCat(name, " (", bits->dump(), " bits)");
  }
  return name;
}

bool IsNf4Config(absl::string_view json) {
  const Json config = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return false;
  const auto is = [&](const char* key, const Json& value) {
    const auto it = config.find(key);
    return it != config.end() && *it == value;
  };
  return is("quant_method", "bitsandbytes") && is("bnb_4bit_quant_type", "nf4") &&
         (is("load_in_4bit", true) || is("_load_in_4bit", true)) &&
         (is("bnb_4bit_quant_storage", "uint8") || !config.contains("bnb_4bit_quant_storage"));
}

std::string DequantiseHint(const std::string& folder) {
  return absl::StrCat(
      "use the model in full precision that it was made from, or convert it: python3 -c \"from "
      "transformers import AutoModelForCausalLM as M; M.from_pretrained('",
      folder, "').dequantize().save_pretrained('", folder,
      "-dequantised')\", then copy its tokenizer files there");
}

}  // namespace fpo
