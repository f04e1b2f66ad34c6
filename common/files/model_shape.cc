#include "common/files/model_shape.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
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

bool HasTensorFiles(const std::string& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".safetensors") return true;
  }
  return false;
}

std::string FamilyOf(const std::string& type) {
  if (type == "gemma2") return "gemma2";
  return type == "gemma3" || type == "gemma3_text" ? "gemma3" : "";
}

}  // namespace

absl::StatusOr<ModelShape> ReadModelShape(const std::string& folder) {
  const std::string path = folder + "/config.json";
  FPO_ASSIGN_OR_RETURN(const std::string json, ReadFile(path, kConfigBytesMax));
  const Json config = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  }
  const std::string type = TextIn(config, "model_type");
  ModelShape shape;
  shape.family = FamilyOf(type);
  if (shape.family.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder, " holds a model of type \"", type,
                     "\"; only text models of gemma2 and gemma3 can be trained"));
  }
  if (!HasTensorFiles(folder)) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder, " has no *.safetensors: its weights are missing"));
  }
  const auto nested = config.find("text_config");
  const Json& text = nested != config.end() && nested->is_object() ? *nested : config;
  shape.layers = SizeIn(text, "num_hidden_layers");
  shape.width = SizeIn(text, "hidden_size");
  shape.head_width = SizeIn(text, "num_attention_heads") * SizeIn(text, "head_dim");
  shape.context = SizeIn(text, "max_position_embeddings");
  return shape;
}

}  // namespace fpo
