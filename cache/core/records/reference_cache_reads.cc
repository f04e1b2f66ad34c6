// The reading half of ReferenceCache.
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/records/reference_cache.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {

absl::StatusOr<ManifestHeader> ReferenceCache::BeginPull(const Digest& manifest_id) {
  ManifestHeader header;
  FPO_RETURN_IF_ERROR(WithUsedManifest(manifest_id, [&](const LoadedManifest& progress) {
    header = progress.header();
    if (progress.complete()) return absl::OkStatus();
    return Incomplete(manifest_id, progress.total() - progress.present(), progress.total());
  }));
  // Reading continues when the disk is full and the time of use cannot be written.
  store_.ChangeManifest(manifest_id, {.used = clock_.Now()}).IgnoreError();
  return header;
}

absl::StatusOr<std::vector<PackedRecord>> ReferenceCache::ReadRange(const ManifestHeader& manifest,
                                                                    int64_t from, int64_t count) {
  const absl::StatusOr<std::vector<Digest>> keys = store_.ManifestKeys(manifest.id, from, count);
  if (absl::IsNotFound(keys.status())) return NoManifest(manifest.id);
  if (absl::IsDataLoss(keys.status())) return DropDamagedManifest(manifest.id, keys.status());
  FPO_RETURN_IF_ERROR(keys.status());
  return ReadAll(manifest, *keys);
}

absl::StatusOr<std::vector<PackedRecord>> ReferenceCache::ReadOrdinals(
    const ManifestHeader& manifest, absl::Span<const int64_t> ordinals) {
  std::vector<Digest> keys;
  FPO_RETURN_IF_ERROR(
      WithUsedManifest(manifest.id, [&](const LoadedManifest& progress) -> absl::Status {
        for (const int64_t ordinal : ordinals) {
          if (ordinal < 0 || ordinal >= progress.total()) {
            return absl::OutOfRangeError(
                absl::StrCat("ordinal ", ordinal, " of ", progress.total()));
          }
          keys.push_back(progress.keys()[static_cast<size_t>(ordinal)]);
        }
        return absl::OkStatus();
      }));
  return ReadAll(manifest, keys);
}

absl::StatusOr<std::vector<PackedRecord>> ReferenceCache::ReadAll(const ManifestHeader& manifest,
                                                                  absl::Span<const Digest> keys) {
  {
    absl::MutexLock lock(&mutex_);
    manifests_.Touch(manifest.id, clock_.Now());
  }
  FPO_ASSIGN_OR_RETURN(RecordBatch found, ReadChecked(manifest.recipe_id, keys));
  counters_.corruptions += static_cast<int64_t>(found.damaged.size());
  if (!found.damaged.empty()) return BadRecord(keys[found.damaged[0]], found.damaged.size());
  std::vector<PackedRecord> records;
  records.reserve(keys.size());
  for (std::optional<PackedRecord>& record : found.records) {
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
      WithUsedManifest(manifest_id, [&](const LoadedManifest& progress) -> absl::Status {
        recipe_id = progress.header().recipe_id;
        for (const Digest& key : keys) {
          if (!progress.OrdinalOf(key)) return ForeignKey(key, manifest_id);
        }
        return absl::OkStatus();
      }));
  FPO_ASSIGN_OR_RETURN(RecordBatch found, ReadChecked(recipe_id, keys));
  counters_.corruptions += static_cast<int64_t>(found.damaged.size());
  if (!found.damaged.empty()) return BadRecord(keys[found.damaged[0]], found.damaged.size());
  return std::move(found.records);
}

absl::StatusOr<RecordBatch> ReferenceCache::ReadChecked(const Digest& recipe_id,
                                                        absl::Span<const Digest> keys) {
  FPO_ASSIGN_OR_RETURN(RecordBatch batch, store_.ReadRecords(recipe_id, keys, clock_.Now()));
  if (batch.damaged.empty()) return batch;
  std::vector<Digest> damaged;
  for (const size_t i : batch.damaged) {
    damaged.push_back(keys[i]);
    Log(LogLevel::kError, "a stored record is damaged: quarantined, the next job computes it again",
        {{"recipe", ToHex(recipe_id)}, {"record", ToHex(keys[i])}});
  }
  MarkDamaged(recipe_id, damaged);
  return batch;
}

// The store quarantined them: manifests must count them as missing, so that a builder computes them
// again. One that was stored again meanwhile stays present.
void ReferenceCache::MarkDamaged(const Digest& recipe_id, absl::Span<const Digest> keys) {
  absl::WriterMutexLock load(&load_mutex_);
  const absl::StatusOr<std::vector<std::optional<IndexEntry>>> entries =
      store_.Lookup(recipe_id, keys);
  absl::MutexLock lock(&mutex_);
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool present = entries.ok() && (*entries)[i] && !(*entries)[i]->quarantined;
    const uint32_t size = entries.ok() && (*entries)[i] ? (*entries)[i]->size : 0;
    if (!present) manifests_.MarkAbsent({recipe_id, keys[i], size});
  }
  ++version_;
}

}  // namespace fpo::cache
