#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/inputs/model_kind.h"
#include "common/status_macros.h"
#include "train/model/families/config_values.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

absl::StatusOr<Architecture> ParseArchitecture(const ConfigValues& root, const ConfigValues& text,
                                               bool nested) {
  const Json& type = root.At("model_type");
  if (type == "gemma2") return Architecture::kGemma2;
  if (type == "llama") return Architecture::kLlama;
  if (type == "qwen3") return Architecture::kQwen3;
  if (type == "gemma3_text") {
    if (text.At("use_bidirectional_attention") == true) {
      return ConfigValues::Refuse(
          "use_bidirectional_attention", true,
          "this is EmbeddingGemma or a model made like it, which predicts no tokens");
    }
    return Architecture::kGemma3;
  }
  if (type == "gemma3" && nested) {
    const Json& inner = text.At("model_type");
    if (inner.is_null() || inner == "gemma3_text") return Architecture::kGemma3;
    return ConfigValues::Refuse("text_config.model_type", inner, "allowed is gemma3_text");
  }
  if (type == "gemma3") {
    return ConfigValues::Refuse(
        "model_type", type,
        "without a text_config, whose values transformers would take from its defaults; "
        "a model of text only has model_type gemma3_text");
  }
  const std::string name = type.is_string() ? type.get<std::string>() : "";
  return ConfigValues::Refuse("model_type", type,
                              absl::StrCat("the model ", ForeignModelType(name)));
}

absl::Status RefuseUnsupported(const ConfigValues& text, const ModelFamily& family) {
  for (const char* key : {"attention_bias", "use_bidirectional_attention"}) {
    const Json& value = text.At(key);
    if (!value.is_null() && value != false)
      return ConfigValues::Refuse(key, value, "this is not supported");
  }
  for (const char* key : {"attention_dropout", "hidden_dropout"}) {
    const Json& value = text.At(key);
    if (!value.is_null() && value != 0.0)
      return ConfigValues::Refuse(key, value, "dropout is not supported");
  }
  for (const char* key : {"quantization_config", "compression_config"}) {
    const std::string json = text.At(key).dump(), name = QuantisationName(json);
    if (name.empty() || IsNf4Config(json)) continue;
    return absl::InvalidArgumentError(absl::StrCat("config.json: ", key, " names ", name,
                                                   ": the weights are quantised, and only "
                                                   "unquantised ones can be trained; ",
                                                   DequantiseHint("FOLDER")));
  }
  if (const Json& part = text.At("partial_rotary_factor"); !part.is_null() && part != 1.0) {
    return ConfigValues::Refuse("partial_rotary_factor", part, "this is not supported");
  }
  const char* key = text.At("hidden_activation").is_null() ? "hidden_act" : "hidden_activation";
  const Json& activation = text.At(key);
  const char* allowed = family.activation == Activation::kSilu ? "silu" : "gelu_pytorch_tanh";
  if (!activation.is_null() && activation != allowed) {
    return ConfigValues::Refuse(key, activation, absl::StrCat("allowed is ", allowed));
  }
  return absl::OkStatus();
}

// A nested file may say it in both places. Older versions of transformers read the inner one, newer
// ones the outer one.
absl::Status ParseTie(const ConfigValues& root, const ConfigValues& text, GemmaConfig* config) {
  const Json& inner = text.At("tie_word_embeddings");
  const Json& outer = root.At("tie_word_embeddings");
  for (const Json* tied : {&inner, &outer}) {
    if (!tied->is_null() && !tied->is_boolean()) {
      return ConfigValues::Refuse("tie_word_embeddings", *tied, "true or false is needed");
    }
  }
  if (!inner.is_null() && !outer.is_null() && inner != outer) {
    return ConfigValues::Refuse(
        "tie_word_embeddings", outer,
        absl::StrCat("but in text_config it is ", inner.dump(),
                     ", and versions of transformers differ in which they read; make them "
                     "equal"));
  }
  const Json& said = inner.is_null() ? outer : inner;
  config->tied_head = said.is_null() ? config->family().ties_head : said.get<bool>();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GemmaConfig> ParseGemmaConfig(absl::string_view json_text) {
  const Json file = Json::parse(json_text.begin(), json_text.end(), nullptr,
                                /*allow_exceptions=*/false);
  if (!file.is_object()) return absl::InvalidArgumentError("config.json: not a JSON object");
  const ConfigValues root(file);
  // Only the model with images has one; elsewhere transformers does not read it.
  GemmaConfig config;
  config.nested = root.At("text_config").is_object() && root.At("model_type") == "gemma3";
  const ConfigValues text(config.nested ? root.At("text_config") : file);
  FPO_ASSIGN_OR_RETURN(config.architecture, ParseArchitecture(root, text, config.nested));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(root, config.family()));
  FPO_RETURN_IF_ERROR(RefuseUnsupported(text, config.family()));
  FPO_RETURN_IF_ERROR(config.family().read(text, &config));
  FPO_RETURN_IF_ERROR(ParseTie(root, text, &config));
  return config;
}

}  // namespace fpo::train
