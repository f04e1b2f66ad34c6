#include "common/inputs/weights/weight_files.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/inputs/weights/foreign_weights.h"
#include "common/inputs/weights/rank_files.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kIndexBytesMax = 256 << 20;
constexpr int64_t kShardsMax = 10000;
constexpr char kSingle[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";

bool IsFile(const std::string& folder, const std::string& name) {
  std::error_code error;
  return fs::is_regular_file(absl::StrCat(folder, "/", name), error);
}

std::vector<std::string> SafetensorsIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".safetensors") names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// transformers_weights of config.json, "" when it does not say.
absl::StatusOr<std::string> StatedFile(const std::string& folder) {
  const auto text = ReadFile(folder + "/config.json", kIndexBytesMax);
  if (!text.ok()) return std::string();
  const Json config = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object() || !config.contains("transformers_weights")) return std::string();
  const Json& value = config["transformers_weights"];
  if (value.is_null()) return std::string();
  const std::string name = value.is_string() ? value.get<std::string>() : "";
  const bool known =
      absl::EndsWith(name, ".safetensors") || absl::EndsWith(name, ".safetensors.index.json");
  if (!known || absl::StrContains(name, '/')) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, "/config.json: transformers_weights is ", value.dump(),
                     "; a .safetensors file or its index in the same folder is needed"));
  }
  if (!IsFile(folder, name)) {
    return absl::NotFoundError(absl::StrCat(folder, " lacks ", name,
                                            ", which transformers_weights of its config.json "
                                            "names"));
  }
  return name;
}

absl::Status ReadWeightMap(const std::string& path, WeightFiles* out) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kIndexBytesMax));
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  const Json index = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return absl::DataLossError(absl::StrCat(path, " has no object \"weight_map\""));
  }
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || absl::StrContains(name, '/')) {
      return absl::DataLossError(
          absl::StrCat(path, ": weight_map[\"", tensor, "\"] is not a file of the same folder"));
    }
    if (!absl::EndsWith(name, ".safetensors")) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " names ", name, ", which is no safetensors file"));
    }
    out->weight_map[tensor] = name;
  }
  if (out->weight_map.empty()) {
    return absl::DataLossError(absl::StrCat(path, " names no tensor"));
  }
  return absl::OkStatus();
}

absl::Status TakeIndex(const std::string& folder, const std::string& name, WeightFiles* out) {
  out->index = absl::StrCat(folder, "/", name);
  FPO_RETURN_IF_ERROR(ReadWeightMap(out->index, out));
  std::set<std::string> shards;
  std::vector<std::string> missing;
  for (const auto& [tensor, file] : out->weight_map) {
    if (!shards.insert(file).second) continue;
    if (!IsFile(folder, file)) missing.push_back(file);
    out->files.push_back(absl::StrCat(folder, "/", file));
  }
  std::sort(out->files.begin(), out->files.end());
  if (missing.empty()) return absl::OkStatus();
  const std::string more =
      missing.size() > 3 ? absl::StrCat(" and ", missing.size() - 3, " more") : "";
  missing.resize(std::min<size_t>(missing.size(), 3));
  return absl::NotFoundError(absl::StrCat(
      folder, " lacks the shards ", absl::StrJoin(missing, ", "), more, " that its index ", name,
      " names; download or copy them, or, if the index belongs to older weights, remove it"));
}

// model-00002-of-00003.safetensors: {2, 3}
std::optional<std::pair<int64_t, int64_t>> ShardNumber(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, "model-") || !absl::ConsumeSuffix(&name, ".safetensors")) {
    return std::nullopt;
  }
  const size_t of = name.find("-of-");
  int64_t number = 0, count = 0;
  if (of == absl::string_view::npos || !absl::SimpleAtoi(name.substr(0, of), &number) ||
      !absl::SimpleAtoi(name.substr(of + 4), &count) || number < 1 || count < number ||
      count > kShardsMax) {
    return std::nullopt;
  }
  return std::pair{number, count};
}

// All shards of one numbering, and no shard of another.
bool TakeNumberedShards(const std::string& folder, const std::vector<std::string>& names,
                        WeightFiles* out) {
  std::set<int64_t> numbers;
  std::optional<int64_t> count;
  for (const std::string& name : names) {
    const auto shard = ShardNumber(name);
    if (!shard) continue;
    if (count.value_or(shard->second) != shard->second) return false;
    count = shard->second;
    if (!numbers.insert(shard->first).second) return false;
    out->files.push_back(absl::StrCat(folder, "/", name));
  }
  if (!count || static_cast<int64_t>(numbers.size()) != *count) return false;
  out->notes.push_back(
      absl::StrCat(folder, " has no ", kIndex, "; its ", *count,
                   " shards are read as one model, where transformers would refuse the folder"));
  return true;
}

absl::Status TakeRankFiles(const std::string& folder, WeightFiles* out) {
  out->files = RankFilesIn(folder, kModelRankStem);
  out->pieces = true;
  if (!out->files.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(folder, " is a checkpoint of several ranks and does not have one ",
                   kModelRankStem, "-rank-R-of-N.safetensors of each of them: copy it whole"));
}

// Weights that lie in the folder and are not read.
void NoteTheRest(const std::string& folder, const std::vector<std::string>& names,
                 const std::string& chosen, WeightFiles* out) {
  if (chosen != kIndex && IsFile(folder, kIndex)) {
    out->notes.push_back(absl::StrCat(folder, " has both ", chosen, " and ", kIndex, "; ", chosen,
                                      " is read, as transformers does, and the index is not"));
  }
  std::vector<std::string> rest;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(folder, "/", name);
    if (absl::StartsWith(name, "optimizer")) continue;
    if (std::find(out->files.begin(), out->files.end(), path) == out->files.end()) {
      rest.push_back(name);
    }
  }
  if (rest.empty()) return;
  const std::string more = rest.size() > 4 ? absl::StrCat(" and ", rest.size() - 4, " more") : "";
  rest.resize(std::min<size_t>(rest.size(), 4));
  out->notes.push_back(absl::StrCat(folder, ": not read, as transformers does not: ",
                                    absl::StrJoin(rest, ", "), more, "; read is ", chosen));
}

absl::Status NoWeights(const std::string& folder) {
  std::error_code error;
  const std::string foreign = ForeignWeights(folder, true);
  if (!foreign.empty()) return absl::InvalidArgumentError(foreign);
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat("there is no model folder ", folder));
  }
  return absl::NotFoundError(absl::StrCat(folder, " has no *.safetensors: neither ", kSingle,
                                          " nor ", kIndex, "; its weights are missing"));
}

}  // namespace

absl::StatusOr<WeightFiles> ChooseWeightFiles(const std::string& folder) {
  WeightFiles out;
  const std::string foreign = ForeignWeights(folder, false);
  if (!foreign.empty()) return absl::InvalidArgumentError(foreign);
  const std::vector<std::string> names = SafetensorsIn(folder);
  FPO_ASSIGN_OR_RETURN(std::string chosen, StatedFile(folder));
  if (chosen.empty() && IsFile(folder, kSingle)) chosen = kSingle;
  if (chosen.empty() && IsFile(folder, kIndex)) chosen = kIndex;
  if (chosen.empty() && HasRankFile(folder, kModelRankStem)) {
    FPO_RETURN_IF_ERROR(TakeRankFiles(folder, &out));
    chosen = "the files of the ranks";
  } else if (chosen.empty()) {
    if (!TakeNumberedShards(folder, names, &out)) return NoWeights(folder);
    chosen = "the numbered shards";
  } else if (absl::EndsWith(chosen, ".json")) {
    FPO_RETURN_IF_ERROR(TakeIndex(folder, chosen, &out));
  } else {
    out.files = {absl::StrCat(folder, "/", chosen)};
  }
  NoteTheRest(folder, names, chosen, &out);
  return out;
}

}  // namespace fpo
