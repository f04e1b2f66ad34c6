#include "train/parallel/bucket_sender.h"

#include "absl/strings/str_cat.h"

namespace fpo::train {

BucketSender::BucketSender(const ShardPlan& plan, GradientBuffer& gradients,
                           GradientExchange& exchange)
    : plan_(plan), gradients_(gradients), exchange_(exchange) {}

void BucketSender::Begin() {
  passes_ = 0;
  reached_.clear();
  waiting_ = plan_.buckets().size();
}

// The output of the block before a bucket's has gradients: then its own tensors have all of theirs,
// for what adds a gradient to a leaf runs before whatever else waits.
bool BucketSender::IsReached(const ShardBucket& bucket) const {
  if (bucket.layer == ShardBucket::kBeforeBlocks) return false;
  for (const auto& [layer, passes] : reached_) {
    if (passes == passes_ && layer < bucket.layer) return true;
  }
  return false;
}

void BucketSender::OnBackward(int64_t layer) {
  ++reached_[layer];
  while (waiting_ > 0 && IsReached(plan_.buckets()[waiting_ - 1])) SendNext();
}

// Collecting may run out of memory; then the bucket has not left.
void BucketSender::SendNext() {
  const ShardBucket& place = plan_.buckets()[waiting_ - 1];
  const std::vector<at::Tensor> values = gradients_.Values(place.first, place.count);
  exchange_.Send(--waiting_, values);
  gradients_.Clear(place.first, place.count);
}

absl::Status BucketSender::End(bool computed) {
  const std::vector<ShardBucket>& buckets = plan_.buckets();
  for (size_t bucket = waiting_; computed && bucket < buckets.size(); ++bucket) {
    if (gradients_.IsEmpty(buckets[bucket].first, buckets[bucket].count)) continue;
    return absl::InternalError(absl::StrCat("a gradient of bucket ", bucket, " of ", buckets.size(),
                                            " came after the bucket had been sent"));
  }
  if (!computed) gradients_.Clear();
  while (waiting_ > 0) computed ? SendNext() : exchange_.Send(--waiting_, {});
  return exchange_.status();
}

}  // namespace fpo::train
