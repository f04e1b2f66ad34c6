#include "tests/support/fake_cache_link.h"

#include <algorithm>

#include "common/error_info.h"
#include "common/reference/recipe.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"

namespace fpo::testing {

PackedRecord FakeRecord(const Digest& key) {
  PackedRecord record;
  record.key = key;
  record.bytes = EncodeRecord({.sum_logp = -1.0 * key[0], .tokens = 3, .features = {}});
  record.sha256 = Sha256Of(record.bytes);
  return record;
}

void FakeCacheLink::Store(const std::vector<Digest>& keys) {
  absl::MutexLock lock(&mutex_);
  for (const Digest& key : keys) records_.emplace(key, FakeRecord(key));
}

int64_t FakeCacheLink::stored() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int64_t>(records_.size());
}
int FakeCacheLink::claims() const {
  absl::MutexLock lock(&mutex_);
  return claims_;
}
int FakeCacheLink::renewals() const {
  absl::MutexLock lock(&mutex_);
  return renewals_;
}
int FakeCacheLink::releases() const {
  absl::MutexLock lock(&mutex_);
  return releases_;
}
int FakeCacheLink::pulls() const { return static_cast<int>(pull_cursors().size()); }
std::vector<int64_t> FakeCacheLink::pulled() const {
  absl::MutexLock lock(&mutex_);
  return pulled_;
}

std::vector<int64_t> FakeCacheLink::pull_cursors() const {
  absl::MutexLock lock(&mutex_);
  return pull_cursors_;
}

absl::Status FakeCacheLink::Reach() {
  if (unreachable_calls <= 0) return absl::OkStatus();
  --unreachable_calls;
  return absl::UnavailableError("connection refused");
}

int64_t FakeCacheLink::Missing() const {
  int64_t missing = 0;
  for (const Digest& key : keys_) missing += records_.count(key) == 0 ? 1 : 0;
  return missing;
}

double FakeCacheLink::flops() const {
  absl::MutexLock lock(&mutex_);
  return flops_;
}

absl::StatusOr<ManifestCount> FakeCacheLink::PutManifest(const NewManifest& manifest,
                                                         std::stop_token) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(Reach());
  keys_ = manifest.keys;
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(manifest.recipe));
  return ManifestCount{.manifest_id = ManifestId(RecipeId(recipe), keys_),
                       .recipe_id = RecipeId(recipe),
                       .total = static_cast<int64_t>(keys_.size()),
                       .missing = Missing(),
                       .saved = {.seconds = static_cast<double>(records_.size()),
                                 .flops = 1e9 * static_cast<double>(records_.size())}};
}

absl::StatusOr<RecordClaim> FakeCacheLink::Claim(const ClaimRequest& request) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(Reach());
  RecordClaim claim;
  claim.lease = lease;
  claim.complete = Missing() == 0;
  if (claim.complete) return claim;
  for (size_t i = 0; i < keys_.size(); ++i) {
    const Digest& key = keys_[i];
    const bool taken = records_.count(key) + holders_.count(key) + claimed_by_others.count(key) > 0;
    if (!taken && claim.ordinals.size() < static_cast<size_t>(request.limit)) {
      claim.ordinals.push_back(static_cast<int64_t>(i));
    }
  }
  if (claim.ordinals.empty()) {
    claim.retry_after = absl::Milliseconds(1);
    return claim;
  }
  ++claims_;
  claim.claim_id = ++last_claim_;
  live_[claim.claim_id] = now ? now() + lease : absl::InfiniteFuture();
  for (const int64_t ordinal : claim.ordinals) {
    holders_[keys_[static_cast<size_t>(ordinal)]] = claim.claim_id;
  }
  return claim;
}

void FakeCacheLink::Expire() {
  if (!now) return;
  std::erase_if(live_, [&](const auto& claim) { return claim.second <= now(); });
  for (auto holder = holders_.begin(); holder != holders_.end();) {
    holder = live_.count(holder->second) == 0 ? holders_.erase(holder) : std::next(holder);
  }
}

absl::Status FakeCacheLink::RenewClaim(uint64_t claim, int64_t) {
  absl::MutexLock lock(&mutex_);
  ++renewals_;
  Expire();
  if (live_.count(claim) > 0) {
    if (now) live_[claim] = now() + lease;
    return absl::OkStatus();
  }
  return WithErrorInfo(absl::FailedPreconditionError("no such claim"),
                       {.reason = ErrorReason::kUnknownClaim});
}

absl::Status FakeCacheLink::ReleaseClaim(uint64_t claim) {
  absl::MutexLock lock(&mutex_);
  ++releases_;
  live_.erase(claim);
  std::erase_if(holders_, [&](const auto& entry) { return entry.second == claim; });
  return absl::OkStatus();
}

absl::StatusOr<PutCounts> FakeCacheLink::PutRecords(const worker::RecordUpload& upload,
                                                    std::stop_token) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(Reach());
  if (lost_claims > 0) {
    --lost_claims;
    live_.clear();
    holders_.clear();
  }
  Expire();
  PutCounts stored;
  flops_ += upload.cost.flops;
  for (const PackedRecord& record : upload.records) {
    const auto holder = holders_.find(record.key);
    if (live_.count(upload.claim_id) == 0 || holder == holders_.end() ||
        holder->second != upload.claim_id) {
      return WithErrorInfo(absl::FailedPreconditionError("no such claim"),
                           {.reason = ErrorReason::kUnknownClaim});
    }
    records_.emplace(record.key, record);
    holders_.erase(holder);
    ++stored.stored;
  }
  return stored;
}

absl::Status FakeCacheLink::WaitManifest(
    const Digest&, absl::Duration, const std::function<bool(const ManifestProgress&)>& on_change,
    std::stop_token stop) {
  ManifestProgress progress;
  {
    absl::MutexLock lock(&mutex_);
    FPO_RETURN_IF_ERROR(Reach());
    if (stop.stop_requested()) return absl::CancelledError("stopped");
    if (++waits_ >= others_finish_after_waits) {
      for (const Digest& key : claimed_by_others) records_.emplace(key, FakeRecord(key));
      claimed_by_others.clear();
    }
    progress.total = static_cast<int64_t>(keys_.size());
    progress.present = progress.total - Missing();
  }
  on_change(progress);
  return absl::OkStatus();
}

absl::Status FakeCacheLink::PullManifest(
    const PullRequest& request, const std::function<absl::Status(const RecordFrame&)>& on_frame,
    std::stop_token) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(Reach());
  pull_cursors_.push_back(request.from_ordinal);
  std::vector<int64_t> wanted;
  for (int64_t i = request.from_ordinal; i < static_cast<int64_t>(keys_.size()); ++i) {
    const bool asked =
        request.ordinals.empty() ||
        std::find(request.ordinals.begin(), request.ordinals.end(), i) != request.ordinals.end();
    if (asked) wanted.push_back(i);
  }
  SequenceDigest digest;
  const int64_t total = static_cast<int64_t>(wanted.size());
  for (int64_t first = 0; first < total; first += records_per_frame) {
    RecordFrame frame;
    frame.first_ordinal = wanted[static_cast<size_t>(first)];
    for (int64_t n = first; n < std::min(total, first + records_per_frame); ++n) {
      const int64_t i = wanted[static_cast<size_t>(n)];
      const bool foreign = sends_foreign_record && i == 5;
      AppendPacked(
          foreign ? FakeRecord(Sha256Of("foreign")) : records_.at(keys_[static_cast<size_t>(i)]),
          &frame.packed);
      ++frame.count;
      pulled_.push_back(i);
    }
    const std::vector<PackedRecord> sent = *Unpack(frame.packed);
    for (const PackedRecord& record : sent) {
      digest.Add(record.key, record.sha256);
    }
    if (first + records_per_frame >= total) frame.sha256_of_digests = digest.Finish();
    if (corrupt_frames > 0 && first > 0) {
      --corrupt_frames;
      frame.packed.back() = static_cast<char>(frame.packed.back() ^ 1);
    }
    FPO_RETURN_IF_ERROR(on_frame(frame));
    if (broken_pulls > 0) {
      --broken_pulls;
      return absl::UnavailableError("the stream broke");
    }
  }
  return absl::OkStatus();
}

}  // namespace fpo::testing
