#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "cache/core/records/cache_types.h"
#include "cache/core/records/cost_ledger.h"
#include "cache/core/records/manifest_table.h"
#include "cache/core/store/store.h"
#include "common/access_list.h"
#include "common/clock.h"

namespace fpo::cache {

// Implements each call of the service, over any Store. Blocks on the store. Thread-safe.
class ReferenceCache {
 public:
  // Store and clocks outlive the cache.
  static absl::StatusOr<std::unique_ptr<ReferenceCache>> Open(Store* store, CacheClocks clocks,
                                                              ReferenceCacheOptions options = {});

  // Idempotent. InvalidArgument: malformed recipe; no, too many, equal keys. Also in two steps, for
  // who stores records from elsewhere before their presence is counted.
  absl::StatusOr<ManifestCount> PutManifest(NewManifest manifest);
  absl::StatusOr<ManifestHeader> Register(NewManifest manifest);
  absl::StatusOr<ManifestCount> CountPresent(const ManifestHeader& header);
  absl::StatusOr<ManifestStatus> GetManifest(const Digest& id);
  absl::StatusOr<std::vector<ManifestStatus>> ListManifests();
  // NotFound; PermissionDenied by the rules of manifest_access.h.
  absl::Status CheckMayRead(const Digest& manifest_id, const Principal& reader);
  absl::Status CheckMayChange(const Digest& manifest_id, const Principal& caller);
  // Of the manifests that `reader` may read, by id.
  absl::StatusOr<std::vector<RecipeSummary>> ListRecipes(const Principal& reader);
  // Positions of absent keys.
  absl::StatusOr<std::vector<int32_t>> FindMissing(const Digest& recipe_id,
                                                   absl::Span<const Digest> keys) const;
  absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request);
  absl::Status RenewClaim(uint64_t claim_id, int64_t records_done);
  absl::Status ReleaseClaim(uint64_t claim_id);
  absl::Duration lease() const { return options_.claims.lease; }

  // Durable on return. FailedPrecondition (STALE_CLAIM, UNKNOWN_CLAIM) when a record is not claimed
  // by `claim_id`, unless the same bytes are stored already. InvalidArgument: damaged or foreign
  // records. Nothing is stored then.
  absl::StatusOr<PutCounts> PutRecords(const Digest& manifest_id, uint64_t claim_id,
                                       absl::string_view packed, const ComputeCost& cost = {});
  // The same for several batches together, all or nothing.
  absl::StatusOr<PutCounts> PutBatches(const Digest& manifest_id,
                                       absl::Span<const PutBatch> batches);

  // Which records of a manifest are missing, and storing those of another cache or the bucket, all
  // or nothing. Needs no claim: the first value is there.
  absl::StatusOr<std::vector<int64_t>> MissingOrdinals(const Digest& manifest_id);
  absl::Status StoreFetched(const Digest& manifest_id, absl::string_view packed);
  absl::StatusOr<ManifestProgress> Progress(const Digest& manifest_id);
  // Grows with every change that a Progress can show.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // FailedPrecondition (MANIFEST_INCOMPLETE) unless every record exists; marks it as used.
  absl::StatusOr<ManifestHeader> BeginPull(const Digest& manifest_id);
  // Records of ordinals [from, from + count), fewer at the end. DataLoss: a bad one, quarantined.
  absl::StatusOr<std::vector<PackedRecord>> ReadRange(const ManifestHeader& manifest, int64_t from,
                                                      int64_t count);
  // The same for these ordinals. OutOfRange: one does not exist.
  absl::StatusOr<std::vector<PackedRecord>> ReadOrdinals(const ManifestHeader& manifest,
                                                         absl::Span<const int64_t> ordinals);
  // In the order of `keys`, which belong to the manifest; nullopt for absent ones.
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> GetRecords(
      const Digest& manifest_id, absl::Span<const Digest> keys);

  // Protects a job's manifest; returns until when, without another call: rules().retain from now.
  absl::StatusOr<absl::Time> Retain(const Digest& manifest_id);
  // Protects until `until` (InfiniteFuture: until Unpin) whatever its age and the limits.
  absl::Status Pin(const Digest& manifest_id, absl::Time until);
  absl::Status Unpin(const Digest& manifest_id);
  const KeepRules& rules() const { return options_.keep; }
  // Compares stored bytes with their digests, from `from` in the order of the index, about
  // `bytes_max` of them. Damaged records are quarantined and count as missing from then on.
  absl::StatusOr<CheckReport> CheckRecords(const RecordPosition& from, int64_t bytes_max);
  // The same for records [from, from + count) of a manifest.
  absl::StatusOr<CheckReport> CheckManifest(const Digest& manifest_id, int64_t from, int64_t count);
  absl::StatusOr<std::vector<Digest>> KeysOf(const Digest& manifest_id);
  // Takes records of a manifest out of use: jobs that need them compute them again.
  absl::Status Quarantine(const Digest& manifest_id, absl::Span<const Digest> keys,
                          const std::string& reason);
  absl::StatusOr<std::vector<QuarantinedRecord>> ListQuarantined(int64_t count) const;
  absl::StatusOr<std::vector<OwnerUse>> Owners();  // cheap; omits what is not counted yet
  // Call every second: ends claims, reopens a failed store, counts one manifest not counted yet.
  void Tick();

  CacheTotals Totals() const;
  const CacheCounters& counters() const { return counters_; }
  CacheCounters& mutable_counters() { return counters_; }
  absl::Status Writable() const { return store_.Writable(); }

 private:
  friend class GarbageCollector;
  using Visit = std::function<absl::Status(LoadedManifest&)>;
  using Records = absl::Span<const PackedRecord>;

  ReferenceCache(Store* store, CacheClocks clocks, ReferenceCacheOptions options);
  // Runs `visit` on the manifest in memory, under mutex_, after loading it if needed.
  absl::Status WithManifest(const Digest& id, const Visit& visit);
  absl::Status WithUsedManifest(const Digest& id, const Visit& visit);
  absl::StatusOr<std::unique_ptr<LoadedManifest>> LoadManifest(const Digest& id);
  // Returns NoManifest, so that it is put again.
  absl::Status DropDamagedManifest(const Digest& id, const absl::Status& error);
  absl::StatusOr<ManifestStatus> StatusOf(const ManifestHeader& header);
  absl::Status CheckRoom() const;  // ResourceExhausted: over the limit, or the disk is full
  // The manifest's header, and the records that `claim_id` does not hold.
  absl::StatusOr<std::vector<PackedRecord>> RecordsNotHeld(const Digest& manifest, uint64_t claim,
                                                           Records records, ManifestHeader* header);
  absl::Status CheckIdentical(const Digest& recipe_id, uint64_t claim_id, Records records);
  PutCounts Account(const Digest& recipe_id, Records records, const PutResult& result);
  // With every check; what is damaged is absent in all manifests when it returns.
  absl::StatusOr<RecordBatch> ReadChecked(const Digest& recipe_id, absl::Span<const Digest> keys);
  absl::StatusOr<std::vector<PackedRecord>> ReadAll(const ManifestHeader& manifest,
                                                    absl::Span<const Digest> keys);
  void MarkDamaged(const Digest& recipe_id, absl::Span<const Digest> keys);
  void CountUnknownManifest();
  void NoticeRepairs();
  void StoreCosts();
  Store& store_;
  const Clock& clock_;
  const SteadyClock& steady_;
  const AgeClock ages_;
  const ReferenceCacheOptions options_;
  CacheCounters counters_;
  std::atomic<uint64_t> version_ = 1;

  // Reader: a put, a registration or a change of protection, from store to table. Writer: loading a
  // manifest and each step of a collection, which must see all of that or nothing.
  absl::Mutex load_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  ClaimTable claims_ ABSL_GUARDED_BY(mutex_);
  ManifestTable manifests_ ABSL_GUARDED_BY(mutex_);
  CostLedger costs_ ABSL_GUARDED_BY(mutex_);
  bool sweeping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Digest> registered_ ABSL_GUARDED_BY(mutex_);  // since the sweep began
  int64_t repairs_seen_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fpo::cache
