#include "tests/support/memory_store.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "cache/core/records/manifest_access.h"
#include "cache/core/records/put_plan.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

absl::Status NoSuchManifest(const Digest& id) {
  return absl::NotFoundError(absl::StrCat("no manifest ", ToHex(id)));
}

}  // namespace

absl::Status MemoryStore::PutManifest(const ManifestHeader& header, absl::Span<const Digest> keys) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  const auto [it, inserted] =
      manifests_.try_emplace(header.id, StoredManifest{header, {keys.begin(), keys.end()}});
  StoredManifest& stored = it->second;
  if (!inserted) {
    for (const ManifestShare& share : header.shares) {
      FPO_RETURN_IF_ERROR(AddShare(share, &stored.header.shares));
    }
    stored.header.used = header.used;
    stored.header.retained_until = std::max(stored.header.retained_until, header.retained_until);
    stored.keys.assign(keys.begin(), keys.end());
    stored.damaged = false;
  }
  return absl::OkStatus();
}

absl::StatusOr<ManifestHeader> MemoryStore::GetManifest(const Digest& id) const {
  absl::MutexLock lock(&mutex_);
  const auto it = manifests_.find(id);
  if (it == manifests_.end()) return NoSuchManifest(id);
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
  if (it == manifests_.end()) return NoSuchManifest(id);
  if (it->second.damaged) return absl::DataLossError("a damaged list of keys");
  const std::vector<Digest>& keys = it->second.keys;
  const int64_t size = static_cast<int64_t>(keys.size());
  const int64_t begin = std::clamp<int64_t>(from, 0, size);
  const int64_t end = std::clamp<int64_t>(begin + count, begin, size);
  return std::vector<Digest>(keys.begin() + begin, keys.begin() + end);
}

absl::Status MemoryStore::ChangeManifest(const Digest& id, const ManifestChange& change) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  const auto it = manifests_.find(id);
  if (it == manifests_.end()) return NoSuchManifest(id);
  ManifestHeader& header = it->second.header;
  if (change.used) header.used = *change.used;
  if (change.pinned_until) header.pinned_until = *change.pinned_until;
  if (change.retained_until) header.retained_until = *change.retained_until;
  return absl::OkStatus();
}

absl::Status MemoryStore::RemoveManifest(const Digest& id) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  manifests_.erase(id);
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
    const RecordPosition id{planned.recipe_id, planned.record->key};
    const auto it = records_.find(id);
    const auto entry = it == records_.end() ? std::nullopt : std::optional(it->second.entry);
    outcomes.push_back(OutcomeFor(planned, entry));
    if (outcomes.back() != PutOutcome::kStored) continue;
    Value& stored = records_[id];
    stored.bytes = planned.record->bytes;
    stored.entry = {.size = static_cast<uint32_t>(stored.bytes.size()),
                    .digest = planned.record->sha256,
                    .quarantined = false,
                    .created = now};
  }
  return CollectOutcomes(plan, outcomes);
}

absl::StatusOr<RecordBatch> MemoryStore::ReadRecords(const Digest& recipe_id,
                                                     absl::Span<const Digest> keys,
                                                     absl::Time now) {
  absl::MutexLock lock(&mutex_);
  RecordBatch batch;
  batch.records.resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto it = records_.find({recipe_id, keys[i]});
    if (it == records_.end() || it->second.entry.quarantined) continue;
    const Value& value = it->second;
    if (Sha256Of(value.bytes) == value.entry.digest) {
      batch.records[i] = PackedRecord{keys[i], value.entry.digest, value.bytes};
    } else {
      QuarantineLocked({it->first, now, "does not match its SHA-256", value.bytes});
      batch.damaged.push_back(i);
    }
  }
  return batch;
}

absl::StatusOr<IndexPage> MemoryStore::ScanIndex(const RecordPosition& from, int64_t count) const {
  absl::MutexLock lock(&mutex_);
  IndexPage page;
  for (auto it = records_.lower_bound(from); it != records_.end(); ++it) {
    if (static_cast<int64_t>(page.entries.size()) == count) {
      page.next = it->first;
      break;
    }
    page.entries.emplace_back(it->first, it->second.entry);
  }
  return page;
}

absl::Status MemoryStore::Quarantine(const QuarantinedRecord& record) {
  absl::MutexLock lock(&mutex_);
  QuarantineLocked(record);
  return absl::OkStatus();
}

void MemoryStore::QuarantineLocked(const QuarantinedRecord& record) {
  const auto it = records_.find(record.position);
  if (it == records_.end() || it->second.entry.quarantined) return;
  it->second.entry.quarantined = true;
  QuarantinedRecord& evidence = quarantined_[record.position];
  evidence = record;
  if (evidence.bytes.empty()) evidence.bytes = it->second.bytes;
}

absl::StatusOr<std::vector<QuarantinedRecord>> MemoryStore::ListQuarantined(int64_t count) const {
  absl::MutexLock lock(&mutex_);
  std::vector<QuarantinedRecord> list;
  for (const auto& [position, record] : quarantined_) {
    if (static_cast<int64_t>(list.size()) == count) break;
    list.push_back(record);
  }
  return list;
}

absl::Status MemoryStore::ForgetQuarantined(absl::Time before) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(quarantined_, [before](const auto& item) { return item.second.when < before; });
  return absl::OkStatus();
}

absl::Status MemoryStore::RemoveRecords(const Digest& recipe_id, absl::Span<const Digest> keys) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  for (const Digest& key : keys) records_.erase({recipe_id, key});
  return absl::OkStatus();
}

absl::Status MemoryStore::Compact() { return absl::OkStatus(); }

absl::Status MemoryStore::PutCost(const Digest& recipe_id, const RecipeCost& cost) {
  absl::MutexLock lock(&mutex_);
  FPO_RETURN_IF_ERROR(write_error_);
  costs_[recipe_id] = cost;
  return absl::OkStatus();
}

absl::StatusOr<std::map<Digest, RecipeCost>> MemoryStore::ListCosts() const {
  absl::MutexLock lock(&mutex_);
  return costs_;
}

StoreTotals MemoryStore::Totals() const {
  absl::MutexLock lock(&mutex_);
  StoreTotals totals;
  std::set<Digest> recipes;
  for (const auto& [id, manifest] : manifests_) recipes.insert(manifest.header.recipe_id);
  for (const auto& [id, stored] : records_) {
    recipes.insert(id.recipe_id);
    totals.quarantined += stored.entry.quarantined;
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

void MemoryStore::CorruptManifestForTest(const Digest& id) {
  absl::MutexLock lock(&mutex_);
  manifests_.at(id).damaged = true;
}

void MemoryStore::FailWritesForTest(absl::Status error) {
  absl::MutexLock lock(&mutex_);
  write_error_ = std::move(error);
}

}  // namespace fpo::cache
