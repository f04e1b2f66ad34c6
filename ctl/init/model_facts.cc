#include "ctl/init/model_facts.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kConfigBytesMax = 16 << 20;

absl::StatusOr<Json> ReadObject(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kConfigBytesMax));
  Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_object()) return object;
  return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
}

int64_t Whole(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

std::string Word(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool HasWeights(const std::string& folder) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".safetensors") return true;
  }
  return false;
}

bool HasChatTemplate(const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder + "/chat_template.jinja", error)) return true;
  const auto tokenizer = ReadObject(folder + "/tokenizer_config.json");
  return tokenizer.ok() && tokenizer->contains("chat_template");
}

std::string FamilyOf(const std::string& type) {
  if (type == "gemma2") return "gemma2";
  return type == "gemma3" || type == "gemma3_text" ? "gemma3" : "";
}

}  // namespace

absl::StatusOr<ModelFacts> ReadModelFacts(const WantedPath& wanted) {
  const std::string& folder = wanted.path;
  std::error_code error;
  const std::string problem = ModelFolderProblem(wanted, true);
  if (!problem.empty()) {
    return fs::exists(folder, error) ? absl::InvalidArgumentError(problem)
                                     : absl::NotFoundError(problem);
  }
  FPO_ASSIGN_OR_RETURN(Json config, ReadObject(folder + "/config.json"));
  const std::string type = Word(config, "model_type");
  ModelFacts facts;
  facts.family = FamilyOf(type);
  if (facts.family.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder, " holds a model of type \"", type,
                     "\"; text models of gemma2 and gemma3 are trained"));
  }
  if (!HasWeights(folder)) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", folder, " has no *.safetensors: its weights are missing"));
  }
  if (config.contains("text_config")) config = Json(config["text_config"]);
  facts.layers = Whole(config, "num_hidden_layers");
  facts.width = Whole(config, "hidden_size");
  facts.context = Whole(config, "max_position_embeddings");
  facts.has_chat_template = HasChatTemplate(folder);
  return facts;
}

}  // namespace fpo::ctl
