// The catalogue half of ReferenceCache: its manifests and recipes, as each reader may see them.
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/records/manifest_access.h"
#include "cache/core/records/reference_cache.h"
#include "common/status_macros.h"

namespace fpo::cache {

absl::StatusOr<ManifestStatus> ReferenceCache::GetManifest(const Digest& id) {
  const absl::StatusOr<ManifestHeader> header = store_.GetManifest(id);
  if (absl::IsNotFound(header.status())) return NoManifest(id);
  if (absl::IsDataLoss(header.status())) return DropDamagedManifest(id, header.status());
  FPO_RETURN_IF_ERROR(header.status());
  return StatusOf(*header);
}

absl::StatusOr<std::vector<ManifestStatus>> ReferenceCache::ListManifests() {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> headers, store_.ListManifests());
  std::vector<ManifestStatus> list;
  for (const ManifestHeader& header : headers) {
    std::optional<ManifestCounts> counts;
    {
      absl::MutexLock lock(&mutex_);
      counts = manifests_.CountsOf(header.id);
    }
    if (counts) {
      list.push_back({header, counts->present, counts->bytes});
      continue;
    }
    const absl::StatusOr<ManifestStatus> status = StatusOf(header);
    if (absl::IsNotFound(status.status())) continue;  // removed meanwhile, or damaged
    FPO_RETURN_IF_ERROR(status.status());
    list.push_back(*status);
  }
  return list;
}

absl::Status ReferenceCache::CheckMayRead(const Digest& manifest_id, const Principal& reader) {
  if (reader.role >= Role::kWorker) return absl::OkStatus();
  const absl::StatusOr<ManifestHeader> header = store_.GetManifest(manifest_id);
  return header.ok() ? MayRead(*header, reader) : NoManifest(manifest_id);
}

absl::Status ReferenceCache::CheckMayChange(const Digest& manifest_id, const Principal& caller) {
  if (caller.role == Role::kAdmin) return absl::OkStatus();
  const absl::StatusOr<ManifestHeader> header = store_.GetManifest(manifest_id);
  return header.ok() ? MayChange(*header, caller) : NoManifest(manifest_id);
}

absl::StatusOr<std::vector<RecipeSummary>> ReferenceCache::ListRecipes(const Principal& reader) {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> headers, store_.ListManifests());
  std::map<Digest, RecipeSummary> recipes;
  for (const ManifestHeader& header : headers) {
    if (!MayRead(header, reader).ok()) continue;
    RecipeSummary& summary = recipes[header.recipe_id];
    summary.id = header.recipe_id;
    summary.recipe = header.recipe;
    ++summary.manifests;
  }
  std::vector<RecipeSummary> list;
  absl::MutexLock lock(&mutex_);
  for (auto& [id, summary] : recipes) {
    summary.per_record = costs_.SavedBy(id, 1);
    list.push_back(std::move(summary));
  }
  return list;
}

absl::StatusOr<std::vector<int32_t>> ReferenceCache::FindMissing(
    const Digest& recipe_id, absl::Span<const Digest> keys) const {
  if (static_cast<int64_t>(keys.size()) > kKeysPerCallMax) {
    return BadRequest("keys", absl::StrCat(keys.size(), " keys; at most ", kKeysPerCallMax));
  }
  FPO_ASSIGN_OR_RETURN(const auto entries, store_.Lookup(recipe_id, keys));
  std::vector<int32_t> missing;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i] || entries[i]->quarantined) missing.push_back(static_cast<int32_t>(i));
  }
  return missing;
}

}  // namespace fpo::cache
