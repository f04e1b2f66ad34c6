#include "cache_service/store/memory_store.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "cache_service/store/put_plan.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

absl::Status NoManifest(const Digest& id) {
  return absl::NotFoundError(absl::StrCat("no manifest ", ToHex(id)));
}

}  // namespace

absl::Status MemoryStore::PutManifest(const ManifestHeader& header, absl::Span<const Digest> keys) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  const auto [it, inserted] =
      manifests_.try_emplace(header.id, StoredManifest{header, {keys.begin(), keys.end()}});
  if (!inserted) it->second.header.used = header.used;
  return absl::OkStatus();
}

absl::StatusOr<ManifestHeader> MemoryStore::GetManifest(const Digest& id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = manifests_.find(id);
  if (it == manifests_.end()) return NoManifest(id);
  return it->second.header;
}

absl::StatusOr<std::vector<ManifestHeader>> MemoryStore::ListManifests() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ManifestHeader> headers;
  for (const auto& [id, manifest] : manifests_) headers.push_back(manifest.header);
  return headers;
}

absl::StatusOr<std::vector<Digest>> MemoryStore::ManifestKeys(const Digest& id, int64_t from,
                                                              int64_t count) const {
  absl::MutexLock lock(&mutex_);
  const auto it = manifests_.find(id);
  if (it == manifests_.end()) return NoManifest(id);
  const std::vector<Digest>& keys = it->second.keys;
  const int64_t size = static_cast<int64_t>(keys.size());
  const int64_t begin = std::clamp<int64_t>(from, 0, size);
  const int64_t end = std::clamp<int64_t>(begin + count, begin, size);
  return std::vector<Digest>(keys.begin() + begin, keys.begin() + end);
}

absl::Status MemoryStore::TouchManifest(const Digest& id, absl::Time used) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  const auto it = manifests_.find(id);
  if (it == manifests_.end()) return NoManifest(id);
  it->second.header.used = used;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::optional<IndexEntry>>> MemoryStore::Lookup(
    const Digest& recipe_id, absl::Span<const Digest> keys) const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::optional<IndexEntry>> found(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto it = records_.find({recipe_id, keys[i]});
    if (it != records_.end()) found[i] = it->second.entry;
  }
  return found;
}

absl::StatusOr<PutResult> MemoryStore::PutRecords(const Recipe& recipe,
                                                  absl::Span<const PackedRecord> records,
                                                  absl::Time now) {
  FPO_ASSIGN_OR_RETURN(const std::vector<PlannedRecord> plan, PlanPut(recipe, records));
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  std::vector<PutOutcome> outcomes;
  for (const PlannedRecord& planned : plan) {
    const RecordId id(planned.recipe_id, planned.record.key);
    const auto it = records_.find(id);
    const auto entry = it == records_.end() ? std::nullopt : std::optional(it->second.entry);
    outcomes.push_back(OutcomeFor(planned, entry));
    if (outcomes.back() != PutOutcome::kStored) continue;
    Value& stored = records_[id];
    stored.bytes = planned.record.bytes;
    stored.entry = {.size = static_cast<uint32_t>(stored.bytes.size()),
                    .digest = planned.record.sha256,
                    .quarantined = false,
                    .created = now};
  }
  return CollectOutcomes(plan, outcomes);
}

absl::StatusOr<std::vector<std::optional<PackedRecord>>> MemoryStore::ReadRecords(
    const Digest& recipe_id, absl::Span<const Digest> keys) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::optional<PackedRecord>> found(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto it = records_.find({recipe_id, keys[i]});
    if (it == records_.end()) continue;
    if (Sha256Of(it->second.bytes) != it->second.entry.digest) {
      it->second.entry.quarantined = true;
      return absl::DataLossError(
          absl::StrCat("the stored record ", ToHex(keys[i]), " does not match its SHA-256"));
    }
    found[i] = PackedRecord{keys[i], it->second.entry.digest, it->second.bytes};
  }
  return found;
}

StoreTotals MemoryStore::Totals() const {
  absl::MutexLock lock(&mutex_);
  StoreTotals totals;
  std::set<Digest> recipes;
  for (const auto& [id, manifest] : manifests_) recipes.insert(manifest.header.recipe_id);
  for (const auto& [id, stored] : records_) {
    recipes.insert(id.first);
    if (stored.entry.quarantined) continue;
    ++totals.records;
    totals.bytes += stored.entry.size;
  }
  totals.recipes = static_cast<int64_t>(recipes.size());
  totals.manifests = static_cast<int64_t>(manifests_.size());
  return totals;
}

absl::Status MemoryStore::Writable() const {
  absl::MutexLock lock(&mutex_);
  return write_error_;
}

absl::Status MemoryStore::Recover(absl::Time /*now*/) { return Writable(); }

void MemoryStore::CorruptForTest(const Digest& recipe_id, const Digest& key) {
  absl::MutexLock lock(&mutex_);
  records_.at({recipe_id, key}).bytes[0] ^= 1;
}

void MemoryStore::FailWritesForTest(absl::Status error) {
  absl::MutexLock lock(&mutex_);
  write_error_ = std::move(error);
}

}  // namespace fpo::cache
