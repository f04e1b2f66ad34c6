// The upkeep half of ReferenceCache: protection, checks, numbers, the tick.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/records/reference_cache.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int64_t kCheckRecords = 256;  // read at once

}  // namespace

absl::StatusOr<std::vector<int64_t>> ReferenceCache::MissingOrdinals(const Digest& manifest_id) {
  std::vector<int64_t> missing;
  FPO_RETURN_IF_ERROR(WithUsedManifest(manifest_id, [&](const LoadedManifest& progress) {
    missing.assign(progress.missing().begin(), progress.missing().end());
    return absl::OkStatus();
  }));
  return missing;
}

absl::Status ReferenceCache::StoreFetched(const Digest& manifest_id, absl::string_view packed) {
  FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> records, Unpack(packed));
  ManifestHeader header;
  FPO_ASSIGN_OR_RETURN(const std::vector<PackedRecord> not_held,
                       RecordsNotHeld(manifest_id, /*claim=*/0, records, &header));
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(header.recipe));
  FPO_RETURN_IF_ERROR(CheckRoom());
  absl::ReaderMutexLock put(&load_mutex_);
  FPO_ASSIGN_OR_RETURN(const PutResult result, store_.PutRecords(recipe, not_held, clock_.Now()));
  Account(header.recipe_id, not_held, result);
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> ReferenceCache::Retain(const Digest& manifest_id) {
  FPO_RETURN_IF_ERROR(
      WithUsedManifest(manifest_id, [](const LoadedManifest&) { return absl::OkStatus(); }));
  const absl::Time until = clock_.Now() + options_.keep.retain;
  absl::ReaderMutexLock put(&load_mutex_);
  FPO_RETURN_IF_ERROR(store_.ChangeManifest(manifest_id, {.retained_until = until}));
  return until;
}

absl::Status ReferenceCache::Pin(const Digest& manifest_id, absl::Time until) {
  absl::ReaderMutexLock put(&load_mutex_);
  const absl::Status changed = store_.ChangeManifest(manifest_id, {.pinned_until = until});
  return absl::IsNotFound(changed) ? NoManifest(manifest_id) : changed;
}

absl::Status ReferenceCache::Unpin(const Digest& manifest_id) {
  return Pin(manifest_id, absl::InfinitePast());
}

absl::StatusOr<CheckReport> ReferenceCache::CheckRecords(const RecordPosition& from,
                                                         int64_t bytes_max) {
  FPO_ASSIGN_OR_RETURN(const IndexPage page, store_.ScanIndex(from, kCheckRecords));
  CheckReport report;
  report.next = page.next;
  size_t i = 0;
  while (i < page.entries.size() && report.bytes < bytes_max) {
    // One recipe at a time.
    const Digest recipe_id = page.entries[i].first.recipe_id;
    std::vector<Digest> keys;
    for (; i < page.entries.size() && report.bytes < bytes_max; ++i) {
      const auto& [position, entry] = page.entries[i];
      if (position.recipe_id != recipe_id) break;
      if (entry.quarantined) continue;
      keys.push_back(position.key);
      report.bytes += entry.size;
    }
    FPO_ASSIGN_OR_RETURN(const RecordBatch batch, ReadChecked(recipe_id, keys));
    report.records += static_cast<int64_t>(keys.size());
    for (const size_t bad : batch.damaged) report.damaged.push_back({recipe_id, keys[bad]});
  }
  if (i < page.entries.size()) report.next = page.entries[i].first;
  return report;
}

absl::StatusOr<CheckReport> ReferenceCache::CheckManifest(const Digest& manifest_id, int64_t from,
                                                          int64_t count) {
  CheckReport report;
  Digest recipe_id{};
  std::vector<Digest> keys;
  FPO_RETURN_IF_ERROR(WithManifest(manifest_id, [&](const LoadedManifest& progress) {
    recipe_id = progress.header().recipe_id;
    for (int64_t i = from; i < std::min(from + count, progress.total()); ++i) {
      keys.push_back(progress.keys()[static_cast<size_t>(i)]);
    }
    return absl::OkStatus();
  }));
  FPO_ASSIGN_OR_RETURN(const RecordBatch batch, ReadChecked(recipe_id, keys));
  for (const std::optional<PackedRecord>& record : batch.records) {
    report.records += record.has_value();
    report.bytes += record ? static_cast<int64_t>(record->bytes.size()) : 0;
  }
  report.records += static_cast<int64_t>(batch.damaged.size());
  for (const size_t bad : batch.damaged) report.damaged.push_back({recipe_id, keys[bad]});
  return report;
}

absl::StatusOr<std::vector<Digest>> ReferenceCache::KeysOf(const Digest& manifest_id) {
  std::vector<Digest> keys;
  FPO_RETURN_IF_ERROR(WithManifest(manifest_id, [&](const LoadedManifest& progress) {
    keys = progress.keys();
    return absl::OkStatus();
  }));
  return keys;
}

absl::Status ReferenceCache::Quarantine(const Digest& manifest_id, absl::Span<const Digest> keys,
                                        const std::string& reason) {
  Digest recipe_id{};
  FPO_RETURN_IF_ERROR(
      WithManifest(manifest_id, [&](const LoadedManifest& progress) -> absl::Status {
        recipe_id = progress.header().recipe_id;
        for (const Digest& key : keys) {
          if (!progress.OrdinalOf(key)) return ForeignKey(key, manifest_id);
        }
        return absl::OkStatus();
      }));
  for (const Digest& key : keys) {
    FPO_RETURN_IF_ERROR(store_.Quarantine(
        {.position = {recipe_id, key}, .when = clock_.Now(), .reason = reason, .bytes = {}}));
  }
  MarkDamaged(recipe_id, keys);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<QuarantinedRecord>> ReferenceCache::ListQuarantined(
    int64_t count) const {
  return store_.ListQuarantined(count);
}

absl::StatusOr<std::vector<OwnerUse>> ReferenceCache::Owners() {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> headers, store_.ListManifests());
  std::map<std::string, OwnerUse> owners;
  for (const ManifestHeader& header : headers) {
    // Only what is known: called at every scrape, this must not read whole manifests.
    std::optional<ManifestCounts> counts;
    {
      absl::MutexLock lock(&mutex_);
      counts = manifests_.CountsOf(header.id);
    }
    const bool pinned = header.pinned_until > clock_.Now();
    for (const ManifestShare& share : header.shares) {
      OwnerUse& use = owners[share.owner];
      ++use.manifests;
      if (!counts) continue;
      use.records += counts->present;
      use.bytes += counts->bytes;
      if (pinned) use.pinned_bytes += counts->bytes;
    }
  }
  std::vector<OwnerUse> list;
  for (auto& [owner, use] : owners) {
    use.owner = owner;
    list.push_back(use);
  }
  return list;
}

CacheTotals ReferenceCache::Totals() const {
  CacheTotals totals;
  totals.store = store_.Totals();
  absl::MutexLock lock(&mutex_);
  totals.manifests = manifests_.CountStates();
  totals.claims = claims_.live();
  totals.claimed_keys = claims_.held_keys();
  totals.claims_expired = claims_.expired_total();
  return totals;
}

void ReferenceCache::Tick() {
  {
    absl::MutexLock lock(&mutex_);
    const uint64_t before = claims_.version();
    claims_.Expire(steady_.Now());
    if (claims_.version() != before) ++version_;
  }
  // Its failure shows in Writable(), and it is tried again.
  store_.Recover(steady_.Now()).IgnoreError();
  NoticeRepairs();
  StoreCosts();
  CountUnknownManifest();
}

void ReferenceCache::NoticeRepairs() {
  const int64_t repairs = store_.Totals().repairs;
  absl::WriterMutexLock load(&load_mutex_);
  absl::MutexLock lock(&mutex_);
  if (std::exchange(repairs_seen_, repairs) == repairs) return;
  manifests_.ForgetProgress();
  ++version_;
}

void ReferenceCache::StoreCosts() {
  std::vector<std::pair<Digest, RecipeCost>> changed;
  {
    absl::MutexLock lock(&mutex_);
    changed = costs_.TakeChanged();
  }
  // What is lost here is measured again.
  for (const auto& [recipe_id, cost] : changed) store_.PutCost(recipe_id, cost).IgnoreError();
}

void ReferenceCache::CountUnknownManifest() {
  std::optional<Digest> id;
  {
    absl::MutexLock lock(&mutex_);
    id = manifests_.AnyUnknown();
  }
  if (!id) return;
  absl::WriterMutexLock load(&load_mutex_);
  const absl::StatusOr<std::unique_ptr<LoadedManifest>> progress = LoadManifest(*id);
  if (!progress.ok()) return;
  absl::MutexLock lock(&mutex_);
  manifests_.SetCounts(*id, {(*progress)->present(), (*progress)->bytes()});
}

}  // namespace fpo::cache
