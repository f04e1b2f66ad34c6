#include "train/decode/cached_sequence.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace fpo::train {
namespace {

int64_t SlotsOf(const GemmaConfig& config, int64_t layer, const CachedSequence::Size& size) {
  if (!config.sliding[static_cast<size_t>(layer)]) return size.positions;
  return std::min(size.positions, config.sliding_window + size.step_tokens);
}

}  // namespace

CachedSequence::CachedSequence(const GemmaConfig& config, Size size,
                               const at::TensorOptions& options)
    : size_(size) {
  ids_.reserve(static_cast<size_t>(size.positions));
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    LayerCache cache;
    cache.slots = SlotsOf(config, layer, size);
    const std::vector<int64_t> shape = {config.kv_heads, cache.slots, config.head_dim};
    cache.keys = at::empty(shape, options);
    cache.values = at::empty(shape, options);
    if (cache.slots < size.positions) oldest_reach_ = cache.slots - config.sliding_window;
    layers_.push_back(std::move(cache));
  }
}

int64_t CachedSequence::KeepPrefixOf(const std::vector<int32_t>& ids) {
  const auto [mine, theirs] = std::mismatch(ids_.begin(), ids_.end(), ids.begin(), ids.end());
  int64_t kept = theirs - ids.begin();
  if (kept == static_cast<int64_t>(ids.size())) kept = std::max<int64_t>(kept - 1, 0);
  // What a ring has overwritten since position `kept` must lie before the window there.
  if (oldest_reach_ > 0 && length() - kept > oldest_reach_) kept = 0;
  ids_.resize(static_cast<size_t>(kept));
  return kept;
}

int64_t CachedSequence::Bytes(const GemmaConfig& config, Size size, int64_t element_bytes) {
  int64_t slots = 0;
  for (int64_t layer = 0; layer < config.layers; ++layer) slots += SlotsOf(config, layer, size);
  return slots * 2 * config.kv_heads * config.head_dim * element_bytes;
}

}  // namespace fpo::train
