#include "cache/core/records/reference_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "common/failpoint.h"
#include "common/observe/log.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

absl::Status CheckDistinct(absl::Span<const Digest> keys) {
  absl::flat_hash_set<Digest> seen;
  seen.reserve(keys.size());
  for (const Digest& key : keys) {
    if (!seen.insert(key).second) return BadRequest("keys", absl::StrCat(ToHex(key), " twice"));
  }
  return absl::OkStatus();
}

absl::Status CheckDistinct(absl::Span<const PackedRecord> records) {
  std::vector<Digest> keys;
  for (const PackedRecord& record : records) keys.push_back(record.key);
  return CheckDistinct(keys);
}

absl::Status CheckNewManifest(const NewManifest& manifest) {
  const auto count = static_cast<int64_t>(manifest.keys.size());
  if (count == 0 || count > kManifestKeysMax) {
    return BadRequest("keys",
                      absl::StrCat(count, " keys; 1 to ", kManifestKeysMax, " are allowed"));
  }
  const auto name_bytes = std::max(manifest.owner.size(), manifest.name.size());
  if (static_cast<int64_t>(name_bytes) > kNameBytesMax) {
    return BadRequest("name", absl::StrCat(name_bytes, " bytes; at most ", kNameBytesMax));
  }
  if (!IsShare(manifest.share)) {
    return BadRequest("share", absl::StrCat("\"", manifest.share.substr(0, 80),
                                            "\"; public, private or group:NAME"));
  }
  return CheckDistinct(manifest.keys);
}

absl::StatusOr<std::vector<PackedRecord>> UnpackRequest(absl::string_view packed) {
  if (static_cast<int64_t>(packed.size()) > kPackedBytesMax) {
    return BadRequest("packed", absl::StrCat(packed.size(), " bytes; at most ", kPackedBytesMax));
  }
  absl::StatusOr<std::vector<PackedRecord>> records = Unpack(packed);
  if (!records.ok()) return BadRequest("packed", std::string(records.status().message()));
  FPO_RETURN_IF_ERROR(CheckDistinct(*records));
  return records;
}

}  // namespace

ReferenceCache::ReferenceCache(Store* store, CacheClocks clocks, ReferenceCacheOptions options)
    : store_(*store),
      clock_(*clocks.wall),
      steady_(*clocks.steady),
      ages_(clock_, steady_),
      options_(options),
      claims_(store->BootNumber(), options.claims),
      manifests_(options.keys_in_memory_max),
      costs_({}) {}

absl::StatusOr<std::unique_ptr<ReferenceCache>> ReferenceCache::Open(
    Store* store, CacheClocks clocks, ReferenceCacheOptions options) {
  auto cache = std::unique_ptr<ReferenceCache>(new ReferenceCache(store, clocks, options));
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> headers, store->ListManifests());
  FPO_ASSIGN_OR_RETURN(auto costs, store->ListCosts());
  absl::MutexLock lock(&cache->mutex_);
  for (const ManifestHeader& header : headers) cache->manifests_.AddUnknown(header);
  cache->costs_ = CostLedger(std::move(costs));
  cache->repairs_seen_ = store->Totals().repairs;
  return cache;
}

absl::StatusOr<std::unique_ptr<LoadedManifest>> ReferenceCache::LoadManifest(const Digest& id) {
  absl::StatusOr<ManifestHeader> header = store_.GetManifest(id);
  if (absl::IsNotFound(header.status())) return NoManifest(id);
  if (absl::IsDataLoss(header.status())) return DropDamagedManifest(id, header.status());
  FPO_RETURN_IF_ERROR(header.status());
  absl::StatusOr<std::vector<Digest>> keys = store_.ManifestKeys(id, 0, header->total);
  if (absl::IsDataLoss(keys.status())) return DropDamagedManifest(id, keys.status());
  FPO_RETURN_IF_ERROR(keys.status());
  // The id is the digest of recipe and keys, so nothing else can pass for them.
  if (ManifestId(header->recipe_id, *keys) != id) {
    return DropDamagedManifest(
        id, absl::DataLossError(absl::StrCat(keys->size(), " of ", header->total,
                                             " keys, and they do not give its id")));
  }
  std::vector<std::optional<IndexEntry>> entries;
  entries.reserve(keys->size());
  for (size_t from = 0; from < keys->size(); from += kKeysPerCallMax) {
    const auto part = absl::MakeConstSpan(*keys).subspan(from, kKeysPerCallMax);
    FPO_ASSIGN_OR_RETURN(const auto found, store_.Lookup(header->recipe_id, part));
    entries.insert(entries.end(), found.begin(), found.end());
  }
  return std::make_unique<LoadedManifest>(*std::move(header), *std::move(keys), entries);
}

absl::Status ReferenceCache::DropDamagedManifest(const Digest& id, const absl::Status& error) {
  ++counters_.manifest_corruptions;
  Log(LogLevel::kError,
      "a damaged manifest is dropped; the next job that needs it registers it again",
      {{"manifest", ToHex(id)}, {"error", std::string(error.message())}});
  FPO_RETURN_IF_ERROR(store_.RemoveManifest(id));
  absl::MutexLock lock(&mutex_);
  manifests_.Remove(id);
  ++version_;
  return NoManifest(id);
}

absl::Status ReferenceCache::WithManifest(const Digest& id, const Visit& visit) {
  {
    absl::MutexLock lock(&mutex_);
    if (LoadedManifest* progress = manifests_.Find(id)) return visit(*progress);
  }
  absl::WriterMutexLock load(&load_mutex_);
  absl::StatusOr<std::unique_ptr<LoadedManifest>> read = LoadManifest(id);
  FPO_RETURN_IF_ERROR(read.status());
  absl::MutexLock lock(&mutex_);
  manifests_.Load(*std::move(read));
  return visit(*manifests_.Find(id));
}

absl::Status ReferenceCache::WithUsedManifest(const Digest& id, const Visit& visit) {
  return WithManifest(id, [&](LoadedManifest& progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    manifests_.Touch(id, clock_.Now());
    return visit(progress);
  });
}

absl::StatusOr<ManifestCount> ReferenceCache::PutManifest(NewManifest manifest) {
  FPO_ASSIGN_OR_RETURN(const ManifestHeader header, Register(std::move(manifest)));
  return CountPresent(header);
}

absl::StatusOr<ManifestHeader> ReferenceCache::Register(NewManifest manifest) {
  FPO_RETURN_IF_ERROR(CheckNewManifest(manifest));
  const absl::StatusOr<Recipe> recipe = ParseRecipe(manifest.recipe);
  if (!recipe.ok()) return BadRequest("recipe", std::string(recipe.status().message()));
  ManifestHeader header;
  header.recipe_id = RecipeId(*recipe);
  header.id = ManifestId(header.recipe_id, manifest.keys);
  header.recipe = CanonicalRecipe(*recipe);
  header.total = static_cast<int64_t>(manifest.keys.size());
  header.owner = std::move(manifest.owner);
  header.name = std::move(manifest.name);
  header.shares = {{.owner = header.owner, .share = std::move(manifest.share)}};
  header.created = header.used = clock_.Now();
  header.retained_until = header.used + options_.keep.retain;
  {
    absl::ReaderMutexLock put(&load_mutex_);
    FPO_RETURN_IF_ERROR(DiskFull(store_.PutManifest(header, manifest.keys)));
    absl::MutexLock lock(&mutex_);
    manifests_.AddUnknown(header);
    if (sweeping_) registered_.push_back(header.id);
  }
  return header;
}

absl::StatusOr<ManifestCount> ReferenceCache::CountPresent(const ManifestHeader& header) {
  FPO_ASSIGN_OR_RETURN(const ManifestStatus status, StatusOf(header));
  ManifestCount count{.manifest_id = header.id,
                      .recipe_id = header.recipe_id,
                      .total = header.total,
                      .missing = header.total - status.present};
  counters_.hits += status.present;
  counters_.misses += count.missing;
  {
    absl::MutexLock lock(&mutex_);
    count.saved = costs_.SavedBy(header.recipe_id, status.present);
    counters_.saved_seconds += count.saved.seconds;
    counters_.saved_flops += count.saved.flops;
  }
  FPO_FAILPOINT("cache.manifest.before_reply");
  return count;
}

absl::StatusOr<ManifestStatus> ReferenceCache::StatusOf(const ManifestHeader& header) {
  ManifestStatus status{.header = header};
  FPO_RETURN_IF_ERROR(WithManifest(header.id, [&](const LoadedManifest& progress) {
    status.present = progress.present();
    status.bytes = progress.bytes();
    return absl::OkStatus();
  }));
  return status;
}

absl::StatusOr<RecordClaim> ReferenceCache::Claim(const ClaimRequest& request) {
  if (request.limit < 1 || request.limit > kClaimKeysMax) {
    return BadRequest("limit", absl::StrCat(request.limit, "; 1 to ", kClaimKeysMax));
  }
  FPO_FAILPOINT("cache.claim.begin");
  FPO_RETURN_IF_ERROR(CheckRoom());
  RecordClaim claim;
  const auto take = [&](const LoadedManifest& manifest)
                        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
    const absl::Time now = steady_.Now();
    const Digest& recipe_id = manifest.header().recipe_id;
    claims_.Expire(now);
    claim.lease = claims_.lease();
    claim.complete = manifest.complete();
    claim.claim_id = claims_.OfRequest(request.request_id, request.manifest_id);
    std::vector<Digest> keys;
    for (const int64_t ordinal : manifest.missing()) {
      if (static_cast<int64_t>(keys.size()) == request.limit) break;
      const Digest& key = manifest.keys()[ordinal];
      const bool ours = claim.claim_id != 0 ? claims_.Holds(claim.claim_id, recipe_id, key)
                                            : !claims_.IsHeld(recipe_id, key);
      if (!ours) continue;
      keys.push_back(key);
      claim.ordinals.push_back(ordinal);
    }
    if (claim.claim_id != 0) return absl::OkStatus();  // asked before: the answer was lost
    if (keys.empty()) {
      const std::optional<absl::Time> next = claims_.NextExpiry(recipe_id);
      if (!claim.complete && next) claim.retry_after = *next - now;
      return absl::OkStatus();
    }
    FPO_ASSIGN_OR_RETURN(claim.claim_id, claims_.Grant(recipe_id, keys, request.builder, now));
    claims_.SetPurpose(claim.claim_id, request.manifest_id, request.request_id);
    ++version_;
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(WithUsedManifest(request.manifest_id, take));
  FPO_FAILPOINT("cache.claim.granted");
  return claim;
}

absl::Status ReferenceCache::CheckRoom() const {
  FPO_RETURN_IF_ERROR(DiskFull(store_.Writable()));
  const int64_t limit = options_.keep.reject_bytes;
  if (limit <= 0) return absl::OkStatus();
  const int64_t stored = store_.Totals().bytes;
  return stored < limit ? absl::OkStatus() : CacheFull(stored, limit);
}

absl::Status ReferenceCache::RenewClaim(uint64_t claim_id, int64_t records_done) {
  FPO_FAILPOINT("cache.claim.renew");
  absl::MutexLock lock(&mutex_);
  const absl::Status renewed = claims_.Renew(claim_id, records_done, steady_.Now());
  ++version_;
  return renewed;
}

absl::Status ReferenceCache::ReleaseClaim(uint64_t claim_id) {
  FPO_FAILPOINT("cache.claim.release");
  absl::MutexLock lock(&mutex_);
  const absl::Status released = claims_.Release(claim_id, steady_.Now());
  ++version_;
  return released;
}

absl::StatusOr<std::vector<PackedRecord>> ReferenceCache::RecordsNotHeld(
    const Digest& manifest_id, uint64_t claim_id, absl::Span<const PackedRecord> records,
    ManifestHeader* header) {
  std::vector<PackedRecord> not_held;
  const auto check = [&](const LoadedManifest& progress)
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
    *header = progress.header();
    claims_.Expire(steady_.Now());
    for (const PackedRecord& record : records) {
      if (!progress.OrdinalOf(record.key)) return ForeignKey(record.key, manifest_id);
      if (!claims_.Holds(claim_id, header->recipe_id, record.key)) not_held.push_back(record);
    }
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(WithUsedManifest(manifest_id, check));
  return not_held;
}

absl::Status ReferenceCache::CheckIdentical(const Digest& recipe_id, uint64_t claim_id,
                                            absl::Span<const PackedRecord> records) {
  std::vector<Digest> keys;
  for (const PackedRecord& record : records) keys.push_back(record.key);
  FPO_ASSIGN_OR_RETURN(const auto entries, store_.Lookup(recipe_id, keys));
  for (size_t i = 0; i < records.size(); ++i) {
    const bool identical =
        entries[i] && !entries[i]->quarantined && entries[i]->digest == records[i].sha256;
    if (identical) continue;
    counters_.refused += static_cast<int64_t>(records.size());
    absl::MutexLock lock(&mutex_);
    FPO_RETURN_IF_ERROR(claims_.CheckLive(claim_id));
    return NotHeld(claim_id, keys[i]);
  }
  return absl::OkStatus();
}

absl::StatusOr<PutCounts> ReferenceCache::PutRecords(const Digest& manifest_id, uint64_t claim_id,
                                                     absl::string_view packed,
                                                     const ComputeCost& cost) {
  const PutBatch batch{.claim_id = claim_id, .packed = packed, .cost = cost};
  return PutBatches(manifest_id, absl::MakeConstSpan(&batch, 1));
}

absl::StatusOr<PutCounts> ReferenceCache::PutBatches(const Digest& manifest_id,
                                                     absl::Span<const PutBatch> batches) {
  FPO_FAILPOINT("cache.put.begin");
  ManifestHeader header;
  std::vector<PackedRecord> records;
  RecipeCost cost;
  for (const PutBatch& batch : batches) {
    FPO_ASSIGN_OR_RETURN(std::vector<PackedRecord> some, UnpackRequest(batch.packed));
    FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> not_held,
                         RecordsNotHeld(manifest_id, batch.claim_id, some, &header));
    if (!not_held.empty()) {
      FPO_RETURN_IF_ERROR(CheckIdentical(header.recipe_id, batch.claim_id, not_held));
    }
    cost.seconds += batch.cost.seconds;
    cost.flops += batch.cost.flops;
    std::move(some.begin(), some.end(), std::back_inserter(records));
  }
  if (batches.size() > 1) FPO_RETURN_IF_ERROR(CheckDistinct(records));
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(header.recipe));
  FPO_RETURN_IF_ERROR(CheckRoom());
  absl::ReaderMutexLock put(&load_mutex_);
  const absl::StatusOr<PutResult> result = store_.PutRecords(recipe, records, clock_.Now());
  if (!result.ok()) {
    counters_.refused += static_cast<int64_t>(records.size());
    return DiskFull(result.status());
  }
  const PutCounts counts = Account(header.recipe_id, records, *result);
  cost.records = static_cast<int64_t>(records.size());
  {
    absl::MutexLock lock(&mutex_);
    costs_.Add(header.recipe_id, cost);
    // Their forms without features, which the store keeps too, are of the same passes.
    if (!recipe.sae.empty()) costs_.Add(RecipeId(MarginRecipe(recipe)), cost);
  }
  FPO_FAILPOINT("cache.put.before_ack");
  return counts;
}

PutCounts ReferenceCache::Account(const Digest& recipe_id, absl::Span<const PackedRecord> records,
                                  const PutResult& result) {
  PutCounts counts;
  for (const PutOutcome outcome : result.outcomes) {
    counts.stored += outcome == PutOutcome::kStored;
    counts.present += outcome == PutOutcome::kPresent;
    counts.conflict += outcome == PutOutcome::kConflict;
  }
  counters_.stored += counts.stored;
  counters_.present += counts.present;
  counters_.conflict += counts.conflict + result.margin_conflicts;
  const absl::Time now = steady_.Now();
  absl::MutexLock lock(&mutex_);
  for (const StoredRecord& added : result.added) manifests_.MarkPresent(added);
  for (const PackedRecord& record : records) claims_.Fulfil(recipe_id, record.key, now);
  ++version_;
  return counts;
}

absl::StatusOr<ManifestProgress> ReferenceCache::Progress(const Digest& manifest_id) {
  ManifestProgress progress;
  const auto count = [&](const LoadedManifest& manifest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    progress.present = manifest.present();
    progress.total = manifest.total();
    progress.claimable = progress.total - progress.present;
    claims_.ForEachHeldKey(manifest.header().recipe_id, [&](const Digest& key) {
      if (manifest.IsMissing(key)) --progress.claimable;
    });
    return absl::OkStatus();
  };
  FPO_RETURN_IF_ERROR(WithUsedManifest(manifest_id, count));
  return progress;
}

}  // namespace fpo::cache
