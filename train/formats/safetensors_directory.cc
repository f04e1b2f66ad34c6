#include "train/formats/safetensors_directory.h"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/digest_cache.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

constexpr size_t kHashBytes = size_t{16} << 20;  // per update: progress is reported in between

using WeightMap = std::map<std::string, std::string>;  // tensor to shard file
using Shards = std::map<std::string, std::shared_ptr<const SafetensorsFile>>;

absl::StatusOr<WeightMap> ReadIndex(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const auto index = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return absl::DataLossError(absl::StrCat(path, " has no object \"weight_map\""));
  }
  WeightMap map;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos) {
      return absl::DataLossError(
          absl::StrCat(path, ": weight_map[\"", tensor, "\"] is not a file of the same folder"));
    }
    map[tensor] = file.get<std::string>();
  }
  return map;
}

absl::Status NoWeights(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(absl::StrCat("there is no model folder ", folder));
  }
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string end = entry.path().extension().string();
    if (end == ".bin" || end == ".pt" || end == ".pth") {
      return absl::InvalidArgumentError(absl::StrCat(
          folder, " has weights only in ", entry.path().filename().string(),
          ", a pickle file, which can run code when read; convert it to model.safetensors first"));
    }
  }
  return absl::NotFoundError(
      absl::StrCat(folder, " has neither model.safetensors nor model.safetensors.index.json"));
}

absl::StatusOr<Shards> OpenShards(const std::string& folder, const WeightMap& map) {
  Shards shards;
  for (const auto& [tensor, file] : map) {
    auto& shard = shards[file];
    if (!shard) {
      auto opened = SafetensorsFile::Open(absl::StrCat(folder, "/", file));
      if (absl::IsNotFound(opened.status())) {
        return absl::NotFoundError(absl::StrCat(folder, " lacks the shard ", file,
                                                " that its index names for tensor \"", tensor,
                                                "\""));
      }
      FPO_ASSIGN_OR_RETURN(shard, std::move(opened));
    }
    if (!shard->Contains(tensor)) {
      return absl::NotFoundError(absl::StrCat(folder, ": the index lists tensor \"", tensor,
                                              "\" in ", file, ", which does not contain it"));
    }
  }
  return shards;
}

}  // namespace

absl::StatusOr<SafetensorsDirectory> SafetensorsDirectory::Open(const std::string& folder) {
  namespace fs = std::filesystem;
  SafetensorsDirectory directory;
  directory.folder_ = folder;
  const std::string single = absl::StrCat(folder, "/model.safetensors");
  const std::string index = single + ".index.json";
  std::error_code error;
  if (fs::exists(index, error)) {
    FPO_ASSIGN_OR_RETURN(const WeightMap map, ReadIndex(index));
    FPO_ASSIGN_OR_RETURN(const Shards shards, OpenShards(folder, map));
    for (const auto& [tensor, file] : map) directory.where_[tensor] = shards.at(file);
    directory.files_.push_back(index);
    for (const auto& [file, shard] : shards) {
      directory.files_.push_back(absl::StrCat(folder, "/", file));
    }
  } else if (fs::exists(single, error)) {
    FPO_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(single));
    for (const auto& [name, entry] : file->entries()) directory.where_[name] = file;
    directory.files_ = {single};
  } else {
    return NoWeights(folder);
  }
  return directory;
}

std::vector<std::string> SafetensorsDirectory::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : where_) names.push_back(name);
  return names;
}

absl::StatusOr<TensorEntry> SafetensorsDirectory::Entry(const std::string& name) const {
  const auto it = where_.find(name);
  if (it == where_.end()) {
    return absl::NotFoundError(absl::StrCat(folder_, " has no tensor \"", name, "\""));
  }
  return it->second->entries().at(name);
}

absl::StatusOr<at::Tensor> SafetensorsDirectory::Tensor(const std::string& name) const {
  const auto it = where_.find(name);
  if (it == where_.end()) {
    return absl::NotFoundError(absl::StrCat(folder_, " has no tensor \"", name, "\""));
  }
  return it->second->Tensor(name);
}

int64_t SafetensorsDirectory::Parameters() const {
  int64_t count = 0;
  for (const auto& [name, file] : where_) count += file->entries().at(name).Elements();
  return count;
}

int64_t SafetensorsDirectory::Bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, file] : where_) {
    const TensorEntry& entry = file->entries().at(name);
    bytes += entry.end - entry.begin;
  }
  return bytes;
}

// By absolute path: the entry outlives this process's working folder.
absl::StatusOr<Digest> SafetensorsDirectory::KeptWeightsDigest() const {
  std::vector<std::string> files;
  for (const std::string& file : files_) {
    files.push_back(std::filesystem::absolute(file).lexically_normal().string());
  }
  return ProcessDigests().Of("weights", files, [this] { return WeightsDigest(); });
}

absl::StatusOr<Digest> SafetensorsDirectory::WeightsDigest() const {
  Work work(absl::StrCat("hashing the weights of ", folder_), Bytes(), "bytes");
  Sha256 hash;
  for (const auto& [name, file] : where_) {
    const TensorEntry& entry = file->entries().at(name);
    FPO_ASSIGN_OR_RETURN(const absl::string_view bytes, file->Bytes(name));
    // Lengths first, so that different lists of tensors never hash the same bytes.
    hash.Update(absl::StrCat(name.size(), ":", name, ":", entry.dtype, ":", ShapeText(entry.shape),
                             ":", bytes.size(), "\n"));
    for (size_t at = 0; at < bytes.size(); at += kHashBytes) {
      const absl::string_view part = bytes.substr(at, kHashBytes);
      hash.Update(part);
      work.Advance(static_cast<int64_t>(part.size()));
    }
  }
  return hash.Finish();
}

}  // namespace fpo::train
