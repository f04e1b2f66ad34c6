#include "train/generate/stop_ids.h"

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/tokenizer/bounded_json.h"

namespace fpo::train {
namespace {

using ConfigJson = nlohmann::json;

constexpr int64_t kConfigBytesMax = 1 << 24;
constexpr size_t kStopsMax = 1024;

// The object in a file; empty when there is none.
absl::StatusOr<ConfigJson> ReadObject(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return ConfigJson::object();
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kConfigBytesMax));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  FPO_ASSIGN_OR_RETURN(ConfigJson json, ParseBoundedJson(text, path));
  if (json.is_object()) return json;
  return absl::DataLossError(absl::StrCat(path, " is not a JSON object"));
}

absl::StatusOr<std::vector<int32_t>> IdsOf(const ConfigJson& value, const std::string& path) {
  std::vector<int32_t> ids;
  if (value.is_null()) return ids;
  const ConfigJson list = value.is_array() ? value : ConfigJson::array({value});
  for (const ConfigJson& id : list) {
    const bool valid = id.is_number_integer() && id >= 0 &&
                       id <= std::numeric_limits<int32_t>::max() && ids.size() < kStopsMax;
    if (!valid) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": eos_token_id ",
                                                     value.dump().substr(0, 80),
                                                     " is neither an id nor a list of ids"));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

double NumberOr(const ConfigJson& object, const char* key, double fallback) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : fallback;
}

}  // namespace

absl::StatusOr<GenerationDefaults> ReadGenerationDefaults(const std::string& model_folder) {
  GenerationDefaults defaults;
  const std::string generation = model_folder + "/generation_config.json";
  FPO_ASSIGN_OR_RETURN(const ConfigJson own, ReadObject(generation));
  if (!own.empty()) {
    FPO_ASSIGN_OR_RETURN(defaults.stops,
                         IdsOf(own.value("eos_token_id", ConfigJson()), generation));
    if (own.value("do_sample", ConfigJson()) == ConfigJson(true)) {
      defaults.sampling =
          Sampling{NumberOr(own, "temperature", 1),
                   static_cast<int64_t>(NumberOr(own, "top_k", 50)), NumberOr(own, "top_p", 1)};
    }
    return defaults;
  }
  const std::string path = model_folder + "/config.json";
  FPO_ASSIGN_OR_RETURN(const ConfigJson config, ReadObject(path));
  const ConfigJson nested = config.value("text_config", ConfigJson::object());
  for (const ConfigJson& holder : {config, nested}) {
    if (!defaults.stops.empty() || !holder.is_object()) continue;
    FPO_ASSIGN_OR_RETURN(defaults.stops, IdsOf(holder.value("eos_token_id", ConfigJson()), path));
  }
  return defaults;
}

}  // namespace fpo::train
