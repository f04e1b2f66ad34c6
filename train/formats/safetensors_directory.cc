#include "train/formats/safetensors_directory.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/inputs/weights/weight_files.h"
#include "common/observe/work.h"
#include "common/status_macros.h"
#include "train/formats/digest_cache.h"
#include "train/formats/tensor_type.h"

namespace fpo::train {
namespace {

constexpr size_t kHashBytes = size_t{16} << 20;  // per update: progress is reported in between

absl::Status CheckIndex(const WeightFiles& chosen, const StoredTensors& tensors) {
  for (const auto& [tensor, file] : chosen.weight_map) {
    if (std::filesystem::path(tensors.PathOf(tensor)).filename() == file) continue;
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
  directory.files_.insert(directory.files_.end(), chosen.files.begin(), chosen.files.end());
  if (chosen.pieces) {
    FPO_ASSIGN_OR_RETURN(directory.tensors_, StoredTensors::OpenPieces(chosen.files));
    return directory;
  }
  for (const std::string& path : chosen.files) {
    FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
    FPO_RETURN_IF_ERROR(directory.tensors_.AddFile(file));
  }
  FPO_RETURN_IF_ERROR(CheckIndex(chosen, directory.tensors_));
  return directory;
}

absl::Status SafetensorsDirectory::Missing(const std::string& name) const {
  return absl::NotFoundError(absl::StrCat(folder_, " has no tensor \"", name, "\""));
}

absl::StatusOr<TensorEntry> SafetensorsDirectory::Entry(const std::string& name) const {
  if (!Contains(name)) return Missing(name);
  return tensors_.Entry(name);
}

absl::StatusOr<at::Tensor> SafetensorsDirectory::Tensor(const std::string& name) const {
  if (!Contains(name)) return Missing(name);
  return tensors_.Tensor(name);
}

int64_t SafetensorsDirectory::Parameters() const {
  int64_t count = 0;
  for (const std::string& name : Names()) count += tensors_.Entry(name)->Elements();
  return count;
}

int64_t SafetensorsDirectory::Bytes() const {
  int64_t bytes = 0;
  for (const std::string& name : Names()) bytes += tensors_.Entry(name)->end;
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
  for (const std::string& name : Names()) {
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, tensors_.Entry(name));
    FPO_ASSIGN_OR_RETURN(const std::vector<absl::string_view> parts, tensors_.Bytes(name));
    // Lengths first, so that different lists of tensors never hash the same bytes.
    hash.Update(absl::StrCat(name.size(), ":", name, ":", entry.dtype, ":", ShapeText(entry.shape),
                             ":", entry.end, "\n"));
    for (const absl::string_view bytes : parts) {
      for (size_t at = 0; at < bytes.size(); at += kHashBytes) {
        const absl::string_view part = bytes.substr(at, kHashBytes);
        hash.Update(part);
        work.Advance(static_cast<int64_t>(part.size()));
      }
    }
    tensors_.Forget(name);  // what will be used is read again, a tensor at a time
  }
  return hash.Finish();
}

}  // namespace fpo::train
