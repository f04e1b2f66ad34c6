#include "common/inputs/model_shape.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/inputs/model_home.h"
#include "common/inputs/model_kind.h"
#include "common/inputs/weights/weight_files.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

using Json = nlohmann::json;

constexpr int64_t kConfigBytesMax = 16 << 20;

// 0, unknown, for what no model has: the trainer's own reader of config.json says what is wrong.
int64_t SizeIn(const Json& object, const char* key) {
  constexpr double kSizeMax = 1 << 30;  // products of two fit into 64 bits
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer()) return 0;
  const double value = it->get<double>();
  return value > 0 && value <= kSizeMax ? it->get<int64_t>() : 0;
}

std::string TextIn(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// Missing weights are as wrong as others here: the folder was found.
absl::Status CheckWeights(const std::string& folder) {
  const absl::Status status = ChooseWeightFiles(folder).status();
  return absl::IsNotFound(status) ? absl::InvalidArgumentError(status.message()) : status;
}

}  // namespace

absl::StatusOr<ModelShape> ReadModelShape(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(folder));
  const std::string path = home + "/config.json";
  FPO_ASSIGN_OR_RETURN(const std::string json, ReadFile(path, kConfigBytesMax));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(json, path));
  const Json config = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  }
  const std::string type = TextIn(config, "model_type");
  ModelShape shape;
  if (const std::string foreign = ForeignModelType(type); !foreign.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder, " holds a model of type \"", type, "\", which ", foreign));
  }
  shape.family = type == "gemma3_text" ? "gemma3" : type;
  const auto quantised = config.find("quantization_config");
  if (quantised != config.end()) {
    const std::string text = quantised->dump(), name = QuantisationName(text);
    shape.nf4 = IsNf4Config(text);
    if (!name.empty() && !shape.nf4) {
      return absl::InvalidArgumentError(absl::StrCat(
          "folder ", folder, " holds quantised weights, ", name, "; ", DequantiseHint(folder)));
    }
  }
  FPO_RETURN_IF_ERROR(CheckWeights(folder));
  const auto nested = config.find("text_config");
  const bool has_text = nested != config.end() && nested->is_object() && type == "gemma3";
  const Json& text = has_text ? *nested : config;
  shape.layers = SizeIn(text, "num_hidden_layers");
  shape.width = SizeIn(text, "hidden_size");
  shape.head_width = SizeIn(text, "num_attention_heads") * SizeIn(text, "head_dim");
  // Older files of Llama do not say it: all heads together are as wide as the model.
  if (type == "llama" && SizeIn(text, "head_dim") == 0) shape.head_width = shape.width;
  shape.context = SizeIn(text, "max_position_embeddings");
  return shape;
}

}  // namespace fpo
