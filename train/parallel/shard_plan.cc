#include "train/parallel/shard_plan.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace fpo::train {
namespace {

// Of "model.layers.3.mlp.up_proj.weight": 3.
std::optional<int64_t> LayerInName(absl::string_view name) {
  constexpr absl::string_view kLayers = "layers.";
  const size_t at = name.find(kLayers);
  if (at == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = name.substr(at + kLayers.size());
  int64_t layer = 0;
  if (!absl::SimpleAtoi(rest.substr(0, rest.find('.')), &layer)) return std::nullopt;
  return layer;
}

}  // namespace

ShardPlan::ShardPlan(const NamedTensors& tensors, int64_t world) : world_(world) {
  bool in_blocks = false;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::optional<int64_t> layer = LayerInName(tensors[i].first);
    in_blocks = in_blocks || layer.has_value();
    const int64_t place =
        layer.value_or(in_blocks ? ShardBucket::kBehindBlocks : ShardBucket::kBeforeBlocks);
    if (buckets_.empty() || buckets_.back().layer != place) buckets_.push_back({place, i, 0, 0, 0});
    elements_.push_back(tensors[i].second.numel());
    ++buckets_.back().count;
    buckets_.back().elements += elements_.back();
  }
  for (ShardBucket& bucket : buckets_) bucket.range = (bucket.elements + world - 1) / world;
}

int64_t ShardPlan::RangeElements() const {
  int64_t elements = 0;
  for (const ShardBucket& bucket : buckets_) elements += bucket.range;
  return elements;
}

std::vector<ShardPiece> ShardPlan::PiecesOf(int64_t rank) const {
  std::vector<ShardPiece> pieces;
  for (size_t b = 0; b < buckets_.size(); ++b) {
    const ShardBucket& bucket = buckets_[b];
    const int64_t low = rank * bucket.range, high = low + bucket.range;
    int64_t start = 0;  // of the tensor in the bucket
    for (size_t i = bucket.first; i < bucket.first + bucket.count; ++i) {
      const int64_t begin = std::max(low, start), end = std::min(high, start + elements_[i]);
      if (begin < end) pieces.push_back({b, i, begin - start, end - start, begin - low});
      start += elements_[i];
    }
  }
  return pieces;
}

}  // namespace fpo::train
