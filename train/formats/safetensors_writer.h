#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// Tensors by name. (ops/named_tensors.h has the same alias; NamedTensors is its ordered form.)
using TensorMap = std::map<std::string, at::Tensor>;

// A tensor that is made when its turn to be written comes, and freed after it: the whole of them
// need not be in memory at once.
struct LazyTensor {
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  std::function<absl::StatusOr<at::Tensor>()> make;  // of this type and shape
};
using LazyTensors = std::map<std::string, LazyTensor>;
LazyTensors Lazy(const TensorMap& tensors);

// Writes a .safetensors file: tensors by decreasing alignment, then name, so equal input gives
// equal bytes. Tensors may live on any device and have any strides; they are copied to the CPU one
// at a time. The file appears only when complete (.part, fsync, rename). InvalidArgument for a type
// without a safetensors name; Unavailable when writing fails.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata = {});

// The same as a Hugging Face folder: FOLDER/model.safetensors, or above `shard_bytes`
// model-0000i-of-0000n.safetensors with model.safetensors.index.json.
inline constexpr int64_t kShardBytes = int64_t{5} << 30;
absl::Status WriteShardedSafetensors(const std::string& folder, const LazyTensors& tensors,
                                     int64_t shard_bytes = kShardBytes);
absl::Status WriteShardedSafetensors(const std::string& folder, const TensorMap& tensors,
                                     int64_t shard_bytes = kShardBytes);

}  // namespace fpo::train
