#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "cache_service/store/cache_types.h"
#include "cache_service/store/claim_table.h"
#include "cache_service/store/manifest_table.h"
#include "cache_service/store/store.h"
#include "common/clock.h"

namespace fpo::cache {

struct ReferenceCacheOptions {
  ClaimTableOptions claims;
  int64_t keys_in_memory_max = 8'000'000;  // of manifests in use; about 100 bytes each
};

// The cache itself: what each call of the service means, over any Store. Blocks on the store.
// Thread-safe.
class ReferenceCache {
 public:
  // Both outlive the cache.
  static absl::StatusOr<std::unique_ptr<ReferenceCache>> Open(Store* store, const Clock* clock,
                                                              ReferenceCacheOptions options = {});

  // Idempotent. InvalidArgument: malformed recipe, no or too many keys, a key twice.
  absl::StatusOr<ManifestStatus> PutManifest(NewManifest manifest);
  absl::StatusOr<ManifestStatus> GetManifest(const Digest& id);
  absl::StatusOr<std::vector<ManifestStatus>> ListManifests();
  // Positions of absent keys.
  absl::StatusOr<std::vector<int32_t>> FindMissing(const Digest& recipe_id,
                                                   absl::Span<const Digest> keys) const;

  absl::StatusOr<ClaimGrant> Claim(const Digest& manifest_id, int64_t limit, std::string builder);
  absl::Status RenewClaim(uint64_t claim_id, int64_t records_done);
  absl::Status ReleaseClaim(uint64_t claim_id);
  absl::Duration lease() const { return options_.claims.lease; }

  // Durable when it returns. FailedPrecondition (STALE_CLAIM, UNKNOWN_CLAIM) when a record is not
  // claimed by `claim_id`, unless the same bytes are stored already. InvalidArgument: damaged or
  // foreign records. Nothing is stored then.
  absl::StatusOr<PutCounts> PutRecords(const Digest& manifest_id, uint64_t claim_id,
                                       absl::string_view packed);

  absl::StatusOr<ManifestView> View(const Digest& manifest_id);
  // Grows with every change that a View can show; cheap.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // FailedPrecondition (MANIFEST_INCOMPLETE) unless every record exists; marks it used.
  absl::StatusOr<ManifestHeader> BeginPull(const Digest& manifest_id);
  // Records of ordinals [from, from + count), fewer at the end. DataLoss: a bad record, now
  // quarantined.
  absl::StatusOr<std::vector<PackedRecord>> ReadRange(const ManifestHeader& manifest, int64_t from,
                                                      int64_t count);
  // In the order of `keys`, which belong to the manifest; nothing for absent ones.
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> GetRecords(
      const Digest& manifest_id, absl::Span<const Digest> keys);

  // Call about every second: ends claims, reopens a failed store, counts one manifest nobody asked
  // about.
  void Tick();

  CacheTotals Totals() const;
  const CacheCounters& counters() const { return counters_; }
  absl::Status Writable() const { return store_.Writable(); }

 private:
  using Visit = std::function<absl::Status(ManifestProgress&)>;

  ReferenceCache(Store* store, const Clock* clock, ReferenceCacheOptions options);
  // Runs `visit` on the manifest in memory, under mutex_, after loading it if need be.
  absl::Status WithManifest(const Digest& id, const Visit& visit);
  absl::StatusOr<std::unique_ptr<ManifestProgress>> ReadProgress(const Digest& id) const;
  absl::StatusOr<ManifestStatus> StatusOf(const ManifestHeader& header);
  // The recipe of the manifest and the records of the put that `claim_id` does not hold.
  absl::StatusOr<std::vector<PackedRecord>> RecordsNotHeld(const Digest& manifest_id,
                                                           uint64_t claim_id,
                                                           absl::Span<const PackedRecord> records,
                                                           ManifestHeader* header);
  absl::Status CheckIdentical(const Digest& recipe_id, uint64_t claim_id,
                              absl::Span<const PackedRecord> records);
  PutCounts Account(const Digest& recipe_id, absl::Span<const PackedRecord> records,
                    const PutResult& result);
  absl::Status AfterBadRead(absl::Status error, const Digest& recipe_id,
                            absl::Span<const Digest> keys);
  void CountUnknownManifest();

  Store& store_;
  const Clock& clock_;
  const ReferenceCacheOptions options_;
  CacheCounters counters_;
  std::atomic<uint64_t> version_ = 1;

  // Reader: a put, from the store to the table. Writer: loading a manifest, which must see all of a
  // put or nothing. Taken before mutex_.
  absl::Mutex load_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  ClaimTable claims_ ABSL_GUARDED_BY(mutex_);
  ManifestTable manifests_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
