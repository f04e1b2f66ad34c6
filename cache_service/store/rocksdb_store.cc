#include "cache_service/store/rocksdb_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache_service/store/key_layout.h"
#include "cache_service/store/put_plan.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

enum Family { kMeta, kManifests, kIndex, kData };

constexpr int kDigestBytes = 32;

DatabaseOptions ToDatabaseOptions(const RocksdbStoreOptions& options) {
  DatabaseOptions result;
  result.path = options.path;
  result.families = {
      {.name = "meta"},
      {.name = "manifests"},
      {.name = "index", .partition_prefix_bytes = kDigestBytes},
      {.name = "data", .profile = FamilyProfile::kBulk, .partition_prefix_bytes = kDigestBytes}};
  result.block_cache_bytes = options.block_cache_bytes;
  result.free_bytes_min = options.free_bytes_min;
  result.free_fraction_min = options.free_fraction_min;
  return result;
}

std::vector<std::string> RecordPaths(const Digest& recipe_id, absl::Span<const Digest> keys) {
  std::vector<std::string> paths;
  paths.reserve(keys.size());
  for (const Digest& key : keys) paths.push_back(RecordPath(recipe_id, key));
  return paths;
}

}  // namespace

RocksdbStore::RocksdbStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

absl::StatusOr<std::unique_ptr<RocksdbStore>> RocksdbStore::Open(
    const RocksdbStoreOptions& options) {
  FPO_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                       Database::Open(ToDatabaseOptions(options)));
  auto store = std::unique_ptr<RocksdbStore>(new RocksdbStore(std::move(database)));
  FPO_RETURN_IF_ERROR(store->AdvanceBootNumber());
  FPO_RETURN_IF_ERROR(store->CountContents());
  return store;
}

absl::Status RocksdbStore::AdvanceBootNumber() {
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> last, database_->Get(kMeta, BootKey()));
  if (last) {
    FPO_ASSIGN_OR_RETURN(boot_number_, DecodeBoot(*last));
  }
  ++boot_number_;
  WriteSet writes;
  writes.Put(kMeta, BootKey(), EncodeBoot(boot_number_));
  return database_->WriteIntoReserve(writes);
}

absl::Status RocksdbStore::CountContents() {
  StoreTotals totals;
  const auto count_into = [](int64_t* count) {
    return [count](absl::string_view, absl::string_view) { return ++*count, true; };
  };
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, RecipePrefix(), PrefixEnd(RecipePrefix()),
                                      count_into(&totals.recipes)));
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, ManifestPrefix(), PrefixEnd(ManifestPrefix()),
                                      count_into(&totals.manifests)));
  absl::Status malformed;
  FPO_RETURN_IF_ERROR(
      database_->Scan(kIndex, "", "", [&](absl::string_view, absl::string_view value) {
        const absl::StatusOr<IndexEntry> entry = DecodeIndexEntry(value);
        if (!entry.ok()) {
          malformed = entry.status();
        } else if (!entry->quarantined) {
          ++totals.records;
          totals.bytes += entry->size;
        }
        return malformed.ok();
      }));
  FPO_RETURN_IF_ERROR(malformed);
  absl::MutexLock lock(&totals_mutex_);
  totals_ = totals;
  return absl::OkStatus();
}

absl::Status RocksdbStore::WriteKeys(const Digest& id, absl::Span<const Digest> keys) {
  WriteSet writes;
  uint32_t chunk = 0;
  for (size_t from = 0; from < keys.size(); from += kKeysPerChunk) {
    writes.Put(kManifests, ChunkKey(id, chunk++), EncodeKeys(keys.subspan(from, kKeysPerChunk)));
  }
  return database_->Write(writes);
}

absl::Status RocksdbStore::PutManifest(const ManifestHeader& header,
                                       absl::Span<const Digest> keys) {
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(header.recipe));
  absl::MutexLock header_lock(&header_mutex_);
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> known,
                       database_->Get(kMeta, ManifestKey(header.id)));
  ManifestHeader written = header;
  if (known) {
    FPO_ASSIGN_OR_RETURN(written, DecodeManifest(*known));
    written.used = header.used;
  } else {
    FPO_RETURN_IF_ERROR(WriteKeys(header.id, keys));
  }
  // Keys are durable before the header: a header never names keys that are not there.
  WriteSet writes;
  writes.Put(kMeta, ManifestKey(header.id), EncodeManifest(written));
  int64_t new_recipes = 0;
  for (const Recipe& each : {recipe, MarginRecipe(recipe)}) {
    const std::string key = RecipeKey(RecipeId(each));
    FPO_ASSIGN_OR_RETURN(const std::optional<std::string> stored, database_->Get(kMeta, key));
    if (stored || (new_recipes == 1 && recipe.sae.empty())) continue;
    writes.Put(kMeta, key, CanonicalRecipe(each));
    ++new_recipes;
  }
  FPO_RETURN_IF_ERROR(database_->Write(writes));
  absl::MutexLock lock(&totals_mutex_);
  totals_.manifests += known ? 0 : 1;
  totals_.recipes += new_recipes;
  return absl::OkStatus();
}

absl::StatusOr<ManifestHeader> RocksdbStore::GetManifest(const Digest& id) const {
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                       database_->Get(kMeta, ManifestKey(id)));
  if (!value) return absl::NotFoundError(absl::StrCat("no manifest ", ToHex(id)));
  return DecodeManifest(*value);
}

absl::StatusOr<std::vector<ManifestHeader>> RocksdbStore::ListManifests() const {
  std::vector<ManifestHeader> headers;
  absl::Status malformed;
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, ManifestPrefix(), PrefixEnd(ManifestPrefix()),
                                      [&](absl::string_view, absl::string_view value) {
                                        absl::StatusOr<ManifestHeader> header =
                                            DecodeManifest(value);
                                        if (header.ok()) {
                                          headers.push_back(*std::move(header));
                                        } else {
                                          malformed = header.status();
                                        }
                                        return malformed.ok();
                                      }));
  FPO_RETURN_IF_ERROR(malformed);
  return headers;
}

absl::StatusOr<std::vector<Digest>> RocksdbStore::ManifestKeys(const Digest& id, int64_t from,
                                                               int64_t count) const {
  std::vector<Digest> keys;
  for (int64_t chunk = from / kKeysPerChunk; chunk * kKeysPerChunk < from + count; ++chunk) {
    FPO_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                         database_->Get(kManifests, ChunkKey(id, static_cast<uint32_t>(chunk))));
    if (!bytes) break;
    FPO_ASSIGN_OR_RETURN(const std::vector<Digest> part, DecodeKeys(*bytes));
    const int64_t first = chunk * kKeysPerChunk;
    const int64_t size = static_cast<int64_t>(part.size());
    const int64_t begin = std::clamp<int64_t>(from - first, 0, size);
    const int64_t end = std::clamp<int64_t>(from + count - first, begin, size);
    keys.insert(keys.end(), part.begin() + begin, part.begin() + end);
  }
  if (keys.empty()) {
    FPO_RETURN_IF_ERROR(GetManifest(id).status());
  }
  return keys;
}

absl::Status RocksdbStore::TouchManifest(const Digest& id, absl::Time used) {
  absl::MutexLock lock(&header_mutex_);
  FPO_ASSIGN_OR_RETURN(ManifestHeader header, GetManifest(id));
  header.used = used;
  WriteSet writes;
  writes.Put(kMeta, ManifestKey(id), EncodeManifest(header));
  return database_->Write(writes);
}

absl::StatusOr<std::vector<std::optional<IndexEntry>>> RocksdbStore::LookupPaths(
    absl::Span<const std::string> paths) const {
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<std::string>> values,
                       database_->MultiGet(kIndex, paths));
  std::vector<std::optional<IndexEntry>> entries(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    FPO_ASSIGN_OR_RETURN(entries[i], DecodeIndexEntry(*values[i]));
  }
  return entries;
}

absl::StatusOr<std::vector<std::optional<IndexEntry>>> RocksdbStore::Lookup(
    const Digest& recipe_id, absl::Span<const Digest> keys) const {
  return LookupPaths(RecordPaths(recipe_id, keys));
}

absl::StatusOr<PutResult> RocksdbStore::PutRecords(const Recipe& recipe,
                                                   absl::Span<const PackedRecord> records,
                                                   absl::Time now) {
  FPO_ASSIGN_OR_RETURN(const std::vector<PlannedRecord> plan, PlanPut(recipe, records));
  std::vector<std::string> paths;
  for (const PlannedRecord& planned : plan) {
    paths.push_back(RecordPath(planned.recipe_id, planned.record.key));
  }
  const KeyReservations::Hold hold(&puts_, paths);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> entries, LookupPaths(paths));
  WriteSet writes;
  std::vector<PutOutcome> outcomes;
  StoreTotals added;
  for (size_t i = 0; i < plan.size(); ++i) {
    outcomes.push_back(OutcomeFor(plan[i], entries[i]));
    if (outcomes.back() != PutOutcome::kStored) continue;
    const IndexEntry entry{.size = static_cast<uint32_t>(plan[i].record.bytes.size()),
                           .digest = plan[i].record.sha256,
                           .quarantined = false,
                           .created = now};
    writes.Put(kIndex, paths[i], EncodeIndexEntry(entry));
    writes.Put(kData, paths[i], EncodeData(plan[i].record));
    ++added.records;
    added.bytes += entry.size;
  }
  if (!writes.empty()) {
    FPO_RETURN_IF_ERROR(database_->Write(writes));
    absl::MutexLock lock(&totals_mutex_);
    totals_.records += added.records;
    totals_.bytes += added.bytes;
  }
  return CollectOutcomes(plan, outcomes);
}

absl::StatusOr<std::vector<std::optional<PackedRecord>>> RocksdbStore::ReadRecords(
    const Digest& recipe_id, absl::Span<const Digest> keys) {
  const absl::StatusOr<std::vector<std::optional<std::string>>> values =
      database_->MultiGet(kData, RecordPaths(recipe_id, keys));
  if (!values.ok() && !absl::IsDataLoss(values.status())) return values.status();
  std::vector<std::optional<PackedRecord>> records(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!values.ok()) {
      // A damaged block fails the whole look-up: go one by one, to quarantine only what it holds.
      FPO_ASSIGN_OR_RETURN(records[i], ReadOne(recipe_id, keys[i]));
      continue;
    }
    if (!(*values)[i]) continue;
    absl::StatusOr<PackedRecord> record = DecodeData(keys[i], *(*values)[i]);
    if (!record.ok()) {
      FPO_RETURN_IF_ERROR(Quarantine(recipe_id, keys[i]));
      return record.status();
    }
    records[i] = *std::move(record);
  }
  return records;
}

absl::StatusOr<std::optional<PackedRecord>> RocksdbStore::ReadOne(const Digest& recipe_id,
                                                                  const Digest& key) {
  const absl::StatusOr<std::optional<std::string>> value =
      database_->Get(kData, RecordPath(recipe_id, key));
  if (value.ok() && !*value) return std::optional<PackedRecord>();
  absl::Status error = value.status();
  if (value.ok()) {
    absl::StatusOr<PackedRecord> record = DecodeData(key, **value);
    if (record.ok()) return std::optional<PackedRecord>(*std::move(record));
    error = record.status();
  }
  if (absl::IsDataLoss(error)) FPO_RETURN_IF_ERROR(Quarantine(recipe_id, key));
  return error;
}

absl::Status RocksdbStore::Quarantine(const Digest& recipe_id, const Digest& key) {
  const std::string path = RecordPath(recipe_id, key);
  const KeyReservations::Hold hold(&puts_, {path});
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> found, LookupPaths({path}));
  if (!found[0] || found[0]->quarantined) return absl::OkStatus();
  IndexEntry entry = *found[0];
  entry.quarantined = true;
  WriteSet writes;
  writes.Put(kIndex, path, EncodeIndexEntry(entry));
  FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  absl::MutexLock lock(&totals_mutex_);
  --totals_.records;
  totals_.bytes -= entry.size;
  return absl::OkStatus();
}

StoreTotals RocksdbStore::Totals() const {
  StoreTotals totals;
  {
    absl::MutexLock lock(&totals_mutex_);
    totals = totals_;
  }
  totals.disk_bytes = database_->DiskBytes();
  totals.free_bytes = database_->FreeBytes();
  return totals;
}

absl::Status RocksdbStore::Writable() const {
  FPO_RETURN_IF_ERROR(database_->Health());
  return database_->CheckSpace();
}

absl::Status RocksdbStore::Recover(absl::Time now) { return database_->Recover(now); }

}  // namespace fpo::cache
