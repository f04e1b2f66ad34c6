#include "train/checkpoint/serving_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

absl::StatusOr<std::optional<OrderedJson>> ReadJsonFile(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  OrderedJson json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's ", fs::path(path).filename().string(), " is not a JSON object"));
  }
  return json;
}

absl::Status WriteJsonFile(const std::string& path, const OrderedJson& json) {
  return WriteFileAtomically(path, json.dump(2) + "\n");
}

// transformers takes chat_template.jinja first, other programs may know only an older place: no two
// of them may disagree.
absl::Status WriteChatTemplate(const std::string& text, const std::string& folder) {
  std::error_code error;
  fs::remove(folder + "/chat_template.json", error);
  fs::remove(absl::StrCat(folder, "/", kNamedTemplates, "/default.jinja"), error);
  const std::string config_path = folder + "/tokenizer_config.json";
  FPO_ASSIGN_OR_RETURN(std::optional<OrderedJson> config, ReadJsonFile(config_path));
  if (config.has_value() && config->erase("chat_template") > 0) {
    FPO_RETURN_IF_ERROR(WriteJsonFile(config_path, *config));
  }
  return WriteFileAtomically(folder + "/chat_template.jinja", text);
}

// eos_token_id as a list: a number, a list of them, or missing.
std::vector<int64_t> EosIds(const OrderedJson& json) {
  std::vector<int64_t> ids;
  const auto it = json.find("eos_token_id");
  if (it == json.end()) return ids;
  const auto add = [&](const OrderedJson& id) {
    if (id.is_number_integer()) ids.push_back(id.get<int64_t>());
  };
  if (it->is_array()) std::for_each(it->begin(), it->end(), add);
  add(*it);
  return ids;
}

// A single id stays a number, as most folders have it.
void SetEosIds(std::vector<int64_t> ids, OrderedJson* json) {
  if (ids.size() == 1) {
    (*json)["eos_token_id"] = ids[0];
  } else if (!ids.empty()) {
    (*json)["eos_token_id"] = ids;
  }
}

void AddMissing(const std::vector<int64_t>& more, std::vector<int64_t>* ids) {
  for (const int64_t id : more) {
    if (std::find(ids->begin(), ids->end(), id) == ids->end()) ids->push_back(id);
  }
}

absl::Status WriteStopIds(const std::vector<int64_t>& stop_ids, const std::string& folder,
                          OrderedJson* config) {
  const std::string path = folder + "/generation_config.json";
  FPO_ASSIGN_OR_RETURN(std::optional<OrderedJson> generation, ReadJsonFile(path));
  // A nested config keeps the text model's ids in a section of its own.
  OrderedJson* text = config;
  if (!config->contains("eos_token_id") && config->contains("text_config") &&
      (*config)["text_config"].is_object()) {
    text = &(*config)["text_config"];
  }
  std::vector<int64_t> ids;
  if (generation.has_value()) ids = EosIds(*generation);
  AddMissing(EosIds(*text), &ids);
  AddMissing(stop_ids, &ids);
  if (!generation.has_value()) {
    generation.emplace(OrderedJson::object());
    for (const char* key : {"bos_token_id", "pad_token_id"}) {
      if (text->contains(key)) (*generation)[key] = (*text)[key];
    }
  }
  SetEosIds(ids, &*generation);
  SetEosIds(ids, text);
  return WriteJsonFile(path, *generation);
}

}  // namespace

absl::Status WriteServingFiles(const ServingFiles& files, const std::string& folder,
                               OrderedJson* config) {
  for (const auto& [name, text] : files.tokenizer) {
    std::error_code error;
    const std::string path = absl::StrCat(folder, "/", name);
    if (!fs::exists(path, error)) FPO_RETURN_IF_ERROR(WriteFileAtomically(path, text));
  }
  if (!files.chat_template.empty()) {
    FPO_RETURN_IF_ERROR(WriteChatTemplate(files.chat_template, folder));
  }
  FPO_RETURN_IF_ERROR(WriteStopIds(files.stop_ids, folder, config));
  if (files.card.empty()) return absl::OkStatus();
  return WriteFileAtomically(folder + "/README.md", files.card);
}

}  // namespace fpo::train
