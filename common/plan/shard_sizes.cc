#include "common/plan/shard_sizes.h"

#include <algorithm>
#include <numeric>

namespace fpo {
namespace {

constexpr int64_t kFloatBytes = 4;
constexpr int64_t kUnitElements = int64_t{16} << 20;  // of train/parallel/gradient_exchange.cc

int64_t UpTo(int64_t elements, int64_t world) { return (elements + world - 1) / world; }

// Elements that are sent at once for a bucket, of all ranks.
int64_t Unit(int64_t elements, int64_t world) {
  return world * std::min(UpTo(elements, world), std::max<int64_t>(1, kUnitElements / world));
}

// Sent and received: at most two blocks' worth, but always one unit.
int64_t ExchangeElements(const std::vector<int64_t>& buckets, int64_t block, int64_t world) {
  int64_t most = 0, in_all = 0;
  for (const int64_t elements : buckets) {
    most = std::max(most, Unit(elements, world));
    in_all += world * UpTo(elements, world);
  }
  const int64_t two_blocks = 2 * world * UpTo(block, world);
  return 2 * std::min(in_all, std::max(most, two_blocks));
}

}  // namespace

int64_t ShardedBytes::Step() const {
  return weights + masters + moments + gradient_sums + std::max(gradients + exchange, gather);
}

std::vector<int64_t> BucketElements(const ModelSizes& model) {
  if (model.adapter.on()) {
    return std::vector<int64_t>(static_cast<size_t>(model.layers), model.AdapterParameters());
  }
  std::vector<int64_t> buckets = {model.EmbeddingParameters()};
  buckets.insert(buckets.end(), static_cast<size_t>(model.layers), model.BlockParameters());
  buckets.push_back(model.hidden + (model.tied_head ? 0 : model.EmbeddingParameters()));
  return buckets;
}

ShardedBytes BytesOfRank(const ModelSizes& model, const ShardSizes& sizes) {
  const std::vector<int64_t> buckets = BucketElements(model);
  const bool adapted = model.adapter.on(), sharded = sizes.shard != "none" && sizes.world > 1;
  const int64_t trained = model.TrainedParameters(), world = sizes.world;
  const int64_t block = adapted ? model.AdapterParameters() : model.BlockParameters();
  const int64_t trained_bytes = adapted ? kFloatBytes : sizes.element_bytes;
  int64_t own = trained;
  if (sharded) {
    own = 0;
    for (const int64_t elements : buckets) own += UpTo(elements, world);
  }
  ShardedBytes bytes;
  bytes.weights = model.Parameters() * sizes.element_bytes + (adapted ? trained * kFloatBytes : 0);
  bytes.masters = trained_bytes < kFloatBytes ? own * kFloatBytes : 0;
  bytes.moments = sizes.optimizer_moments * own * kFloatBytes;
  bytes.gradients = trained * kFloatBytes;
  if (world == 1) return bytes;
  bytes.exchange = ExchangeElements(buckets, block, world) * kFloatBytes;
  if (!sharded) return bytes;
  bytes.gradient_sums = own * kFloatBytes;
  if (sizes.shard == "gradients") {
    // A tied embedding's gradient begins with the head and ends with the embedding.
    const int64_t lasting = adapted ? 0 : model.EmbeddingParameters();
    bytes.gradients = std::min(trained, lasting + block) * kFloatBytes;
  }
  int64_t unit = 0;
  for (const int64_t elements : buckets) unit = std::max(unit, Unit(elements, world));
  bytes.gather = 2 * (unit + UpTo(unit, world)) * trained_bytes;  // one is written, one is coming
  return bytes;
}

}  // namespace fpo
