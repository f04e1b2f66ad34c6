#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "common/hash.h"
#include "train/formats/safetensors.h"
#include "train/formats/stored_tensors.h"

namespace fpo::train {

// The weights of a Hugging Face folder or a checkpoint: the files that ChooseWeightFiles names.
// Thread-safe.
class SafetensorsDirectory {
 public:
  // NotFound names the folder and what is missing (no weights at all, a shard, a tensor of the
  // index); InvalidArgument names weights of other kinds; DataLoss a tensor that two files hold, or
  // that is not whole.
  static absl::StatusOr<SafetensorsDirectory> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  // What lies beside the weights and is not read; sentences for the user.
  const std::vector<std::string>& notes() const { return notes_; }
  std::vector<std::string> Names() const { return tensors_.Names(); }  // sorted
  bool Contains(const std::string& name) const { return tensors_.Contains(name); }
  absl::StatusOr<TensorEntry> Entry(const std::string& name) const;
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;  // as StoredTensors::Tensor
  // Elements [begin, end) of it: reads nothing else.
  absl::StatusOr<at::Tensor> Range(const std::string& name, int64_t begin, int64_t end) const {
    return tensors_.Range(name, begin, end);
  }
  absl::StatusOr<LazyTensors> ForWriting() const { return tensors_.ForWriting(); }
  void Forget(const std::string& name) const { tensors_.Forget(name); }
  int64_t Parameters() const;  // elements of all tensors
  int64_t Bytes() const;       // of all tensors as stored

  absl::Status CheckUnchanged() const { return tensors_.CheckUnchanged(); }

  // SHA-256 over (name, dtype, shape, bytes) of every tensor in name order; does not depend on how
  // the weights are split into files.
  absl::StatusOr<Digest> WeightsDigest() const;
  // The same, read only once for these files on this machine (ProcessDigests).
  absl::StatusOr<Digest> KeptWeightsDigest() const;

 private:
  absl::Status Missing(const std::string& name) const;  // NotFound

  std::string folder_;
  std::vector<std::string> files_;  // with the index
  std::vector<std::string> notes_;
  StoredTensors tensors_;
};

}  // namespace fpo::train
