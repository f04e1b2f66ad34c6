// The reading half of ReferenceCache.
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache_service/store/cache_errors.h"
#include "cache_service/store/reference_cache.h"
#include "common/status_macros.h"

namespace fpo::cache {

absl::StatusOr<ManifestHeader> ReferenceCache::BeginPull(const Digest& manifest_id) {
  ManifestHeader header;
  FPO_RETURN_IF_ERROR(WithManifest(manifest_id, [&](const ManifestProgress& progress) {
    header = progress.header();
    if (progress.complete()) return absl::OkStatus();
    return Incomplete(manifest_id, progress.total() - progress.present(), progress.total());
  }));
  // Reading goes on when the disk is full and the time of use cannot be written.
  store_.TouchManifest(manifest_id, clock_.Now()).IgnoreError();
  return header;
}

absl::StatusOr<std::vector<PackedRecord>> ReferenceCache::ReadRange(const ManifestHeader& manifest,
                                                                    int64_t from, int64_t count) {
  FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys,
                       store_.ManifestKeys(manifest.id, from, count));
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> found =
      store_.ReadRecords(manifest.recipe_id, keys);
  if (!found.ok()) return AfterBadRead(found.status(), manifest.recipe_id, keys);
  std::vector<PackedRecord> records;
  records.reserve(found->size());
  for (std::optional<PackedRecord>& record : *found) {
    if (!record) return Incomplete(manifest.id, 1, manifest.total);
    records.push_back(*std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<std::optional<PackedRecord>>> ReferenceCache::GetRecords(
    const Digest& manifest_id, absl::Span<const Digest> keys) {
  if (static_cast<int64_t>(keys.size()) > kReadKeysMax) {
    return BadRequest("keys", absl::StrCat(keys.size(), " keys; at most ", kReadKeysMax));
  }
  Digest recipe_id{};
  FPO_RETURN_IF_ERROR(
      WithManifest(manifest_id, [&](const ManifestProgress& progress) -> absl::Status {
        recipe_id = progress.header().recipe_id;
        for (const Digest& key : keys) {
          if (!progress.OrdinalOf(key)) return ForeignKey(key, manifest_id);
        }
        return absl::OkStatus();
      }));
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> found =
      store_.ReadRecords(recipe_id, keys);
  if (!found.ok()) return AfterBadRead(found.status(), recipe_id, keys);
  return found;
}

// The store quarantined what it found bad: manifests must count it as missing, so that a builder
// computes it again.
absl::Status ReferenceCache::AfterBadRead(absl::Status error, const Digest& recipe_id,
                                          absl::Span<const Digest> keys) {
  if (!absl::IsDataLoss(error)) return error;
  ++counters_.corruptions;
  absl::ReaderMutexLock put(&load_mutex_);
  const absl::StatusOr<std::vector<std::optional<IndexEntry>>> entries =
      store_.Lookup(recipe_id, keys);
  if (!entries.ok()) return error;
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::optional<IndexEntry>& entry = (*entries)[i];
    if (entry && entry->quarantined) manifests_.MarkAbsent({recipe_id, keys[i], entry->size});
  }
  ++version_;
  return error;
}

}  // namespace fpo::cache
