#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "common/hash.h"
#include "train/formats/safetensors.h"

namespace fpo::train {

// The weights of a Hugging Face folder: the files that ChooseWeightFiles names. Thread-safe.
class SafetensorsDirectory {
 public:
  // NotFound names the folder and what is missing (no weights at all, a shard, a tensor of the
  // index); InvalidArgument names weights of other kinds; DataLoss a tensor that two files hold.
  static absl::StatusOr<SafetensorsDirectory> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  // What lies beside the weights and is not read; sentences for the user.
  const std::vector<std::string>& notes() const { return notes_; }
  std::vector<std::string> Names() const;  // sorted
  bool Contains(const std::string& name) const { return where_.count(name) != 0; }
  absl::StatusOr<TensorEntry> Entry(const std::string& name) const;
  // a view, as SafetensorsFile::Tensor
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;
  int64_t Parameters() const;  // elements of all tensors
  int64_t Bytes() const;       // of all tensors as stored

  absl::Status CheckUnchanged() const;  // MappedFile, of every file

  // SHA-256 over (name, dtype, shape, bytes) of every tensor in name order; does not depend on how
  // the weights are split into files.
  absl::StatusOr<Digest> WeightsDigest() const;
  // The same, read only once for these files on this machine (ProcessDigests).
  absl::StatusOr<Digest> KeptWeightsDigest() const;

 private:
  std::string folder_;
  std::vector<std::string> files_;  // with the index
  std::vector<std::string> notes_;
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> where_;
};

}  // namespace fpo::train
