#include "train/formats/safetensors_directory.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/inputs/weight_files.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/digest_cache.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

constexpr size_t kHashBytes = size_t{16} << 20;  // per update: progress is reported in between

using Where = std::map<std::string, std::shared_ptr<const SafetensorsFile>>;  // by tensor

// Two files with one tensor are of two models; transformers would take the file that comes last.
absl::Status AddTensors(const std::shared_ptr<const SafetensorsFile>& file, Where* where) {
  for (const auto& [name, entry] : file->entries()) {
    const auto [other, added] = where->emplace(name, file);
    if (added) continue;
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" is in both ",
                                            other->second->path(), " and ", file->path(),
                                            "; the shards are of two models, remove one"));
  }
  return absl::OkStatus();
}

absl::Status CheckIndex(const WeightFiles& chosen, const Where& where) {
  for (const auto& [tensor, file] : chosen.weight_map) {
    const auto found = where.find(tensor);
    const bool there =
        found != where.end() && std::filesystem::path(found->second->path()).filename() == file;
    if (there) continue;
    return absl::NotFoundError(absl::StrCat(chosen.index, ": the index lists tensor \"", tensor,
                                            "\" in ", file, ", which does not contain it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsDirectory> SafetensorsDirectory::Open(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(WeightFiles chosen, ChooseWeightFiles(folder));
  SafetensorsDirectory directory;
  directory.folder_ = folder;
  directory.notes_ = std::move(chosen.notes);
  if (!chosen.index.empty()) directory.files_.push_back(chosen.index);
  for (const std::string& path : chosen.files) {
    FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
    FPO_RETURN_IF_ERROR(AddTensors(file, &directory.where_));
    directory.files_.push_back(path);
  }
  FPO_RETURN_IF_ERROR(CheckIndex(chosen, directory.where_));
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

absl::Status SafetensorsDirectory::CheckUnchanged() const {
  for (const auto& [name, file] : where_) FPO_RETURN_IF_ERROR(file->CheckUnchanged());
  return absl::OkStatus();
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
