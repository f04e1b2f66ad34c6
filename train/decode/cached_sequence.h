#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "train/model/gemma_config.h"

namespace fpo::train {

// Keys and values of one layer at the newest positions; position p is in slot p % slots.
struct LayerCache {
  at::Tensor keys;    // [kv_heads, slots, head_dim]
  at::Tensor values;  // the same
  int64_t slots = 0;
};

// Token ids that a model has read, with the keys and values that it needs to read on. All memory is
// reserved at the start. A layer with a sliding window keeps its window and one step's tokens, the
// others keep every position. Moves, does not copy. Not thread-safe.
class CachedSequence {
 public:
  struct Size {
    int64_t positions = 0;    // the most ids that it may hold
    int64_t step_tokens = 1;  // the most ids that one step may append
  };
  CachedSequence(const GemmaConfig& config, Size size, const at::TensorOptions& options);
  CachedSequence(CachedSequence&&) = default;
  CachedSequence& operator=(CachedSequence&&) = default;

  int64_t length() const { return static_cast<int64_t>(ids_.size()); }
  const Size& size() const { return size_; }
  const std::vector<int32_t>& ids() const { return ids_; }
  LayerCache& layer(int64_t index) { return layers_[static_cast<size_t>(index)]; }

  // For the decoder, which has written the keys and values of these ids.
  void Append(const int32_t* ids, int64_t count) { ids_.insert(ids_.end(), ids, ids + count); }

  // Keeps the first ids that `ids` has too, as many as possible, but for its last one, whose
  // logits are still wanted. Returns how many: 0 also when a window has moved on too far.
  int64_t KeepPrefixOf(const std::vector<int32_t>& ids);

  // Bytes that such a sequence reserves.
  static int64_t Bytes(const GemmaConfig& config, Size size, int64_t element_bytes);

 private:
  Size size_;
  int64_t oldest_reach_ = 0;  // slots of the smallest ring less its window; 0: there is no ring
  std::vector<int32_t> ids_;
  std::vector<LayerCache> layers_;
};

}  // namespace fpo::train
