#include "cache/core/store/rocksdb_store.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cache/core/records/manifest_access.h"
#include "cache/core/records/put_plan.h"
#include "cache/core/store/key_layout.h"
#include "common/failpoint.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

// Above it, sorted files cost less than the log and the memory table.
constexpr size_t kIngestBytesMin = size_t{12} << 20;
constexpr int kSchemaVersion = 1;

DatabaseOptions ToDatabaseOptions(const RocksdbStoreOptions& options) {
  DatabaseOptions result;
  result.path = options.path;
  result.families = {
      {.name = "meta"},
      {.name = "manifests"},
      {.name = "index", .partition_prefix_bytes = kDigestBytes},
      {.name = "data", .profile = FamilyProfile::kBulk, .partition_prefix_bytes = kDigestBytes},
      {.name = "quarantine", .profile = FamilyProfile::kBulk}};
  result.block_cache_bytes = options.block_cache_bytes;
  result.free_bytes_min = options.free_bytes_min;
  result.free_fraction_min = options.free_fraction_min;
  result.repair_when_damaged = true;  // records can be computed again
  return result;
}

std::vector<std::string> RecordPaths(const Digest& recipe_id, absl::Span<const Digest> keys) {
  std::vector<std::string> paths;
  paths.reserve(keys.size());
  for (const Digest& key : keys) paths.push_back(RecordPath(recipe_id, key));
  return paths;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksdbStore>> RocksdbStore::Open(
    const RocksdbStoreOptions& options) {
  auto store = std::unique_ptr<RocksdbStore>(new RocksdbStore(options));
  FPO_RETURN_IF_ERROR(store->OpenDatabase(/*repair=*/false));
  absl::Status read = store->ReadContents();
  if (absl::IsDataLoss(read)) {
    Log(LogLevel::kError, "the store is damaged; what cannot be read is moved aside",
        {{"store", options.path}, {"error", std::string(read.message())}});
    FPO_RETURN_IF_ERROR(store->OpenDatabase(/*repair=*/true));
    read = store->ReadContents();
  }
  FPO_RETURN_IF_ERROR(read);
  FPO_RETURN_IF_ERROR(store->AdvanceBootNumber());
  return store;
}

absl::Status RocksdbStore::ReadContents() {
  FPO_RETURN_IF_ERROR(CheckSchema());
  return CountContents();
}

// Before anything else is read: this program must not judge what a newer one wrote.
absl::Status RocksdbStore::CheckSchema() {
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> stored, database_->Get(kMeta, SchemaKey()));
  int version = kSchemaVersion;
  if (stored && (!absl::SimpleAtoi(*stored, &version) || version < 1 || version > kSchemaVersion)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the cache's store ", options_.path, " has schema version ", *stored,
                     ", this program knows up to ", kSchemaVersion,
                     ": start the newer program that wrote it, or give another --data"));
  }
  if (stored) return absl::OkStatus();
  WriteSet writes;
  writes.Put(kMeta, SchemaKey(), absl::StrCat(kSchemaVersion));
  return database_->WriteIntoReserve(writes);
}

absl::Status RocksdbStore::OpenDatabase(bool repair) {
  database_.reset();
  DatabaseOptions options = ToDatabaseOptions(options_);
  options.repair = repair;
  FPO_ASSIGN_OR_RETURN(database_, Database::Open(options));
  repairs_seen_ = database_->repairs();
  return repairs_seen_ > 0 ? RebuildIndex() : absl::OkStatus();
}

absl::Status RocksdbStore::Recover(absl::Time now) {
  FPO_RETURN_IF_ERROR(database_->Recover(now));
  if (database_->repairs() == repairs_seen_) return absl::OkStatus();
  repairs_seen_ = database_->repairs();
  FPO_RETURN_IF_ERROR(RebuildIndex());
  return CountContents();
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
        } else if (entry->quarantined) {
          ++totals.quarantined;
        } else {
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
    const std::string key = ChunkKey(id, chunk++);
    writes.Put(kManifests, key, EncodeChunk(key, keys.subspan(from, kKeysPerChunk)));
  }
  return database_->Write(writes);
}

absl::Status RocksdbStore::PutManifest(const ManifestHeader& header,
                                       absl::Span<const Digest> keys) {
  FPO_ASSIGN_OR_RETURN(const Recipe recipe, ParseRecipe(header.recipe));
  absl::MutexLock header_lock(&header_mutex_);
  FPO_ASSIGN_OR_RETURN(const std::optional<std::string> known,
                       database_->Get(kMeta, ManifestKey(header.id)));
  FPO_FAILPOINT("cache.manifest.begin");
  ManifestHeader written = header;
  const absl::StatusOr<ManifestHeader> before =
      known ? DecodeManifest(*known) : absl::NotFoundError("");
  if (before.ok()) {
    written = *before;
    written.used = header.used;
    written.retained_until = std::max(written.retained_until, header.retained_until);
    for (const ManifestShare& share : header.shares) {
      FPO_RETURN_IF_ERROR(AddShare(share, &written.shares));
    }
  }
  // The existing keys may be damaged.
  const auto keys_before = before.ok() ? ManifestKeys(header.id, 0, header.total)
                                       : absl::StatusOr<std::vector<Digest>>(before.status());
  const bool intact = keys_before.ok() && absl::MakeConstSpan(*keys_before) == keys;
  if (!intact) {
    FPO_RETURN_IF_ERROR(WriteKeys(header.id, keys));
  }
  FPO_FAILPOINT("cache.manifest.after_keys");
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
  // Every job that reads a known manifest registers it, also when the disk is full.
  FPO_RETURN_IF_ERROR(intact ? database_->WriteIntoReserve(writes) : database_->Write(writes));
  FPO_FAILPOINT("cache.manifest.after_header");
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
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, ManifestPrefix(), PrefixEnd(ManifestPrefix()),
                                      [&](absl::string_view, absl::string_view value) {
                                        absl::StatusOr<ManifestHeader> header =
                                            DecodeManifest(value);
                                        if (header.ok()) headers.push_back(*std::move(header));
                                        return true;
                                      }));
  return headers;
}

absl::StatusOr<std::vector<Digest>> RocksdbStore::ManifestKeys(const Digest& id, int64_t from,
                                                               int64_t count) const {
  std::vector<Digest> keys;
  for (int64_t chunk = from / kKeysPerChunk; chunk * kKeysPerChunk < from + count; ++chunk) {
    const std::string key = ChunkKey(id, static_cast<uint32_t>(chunk));
    FPO_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, database_->Get(kManifests, key));
    if (!bytes) break;
    FPO_ASSIGN_OR_RETURN(const std::vector<Digest> part, DecodeChunk(key, *bytes));
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

absl::Status RocksdbStore::ChangeManifest(const Digest& id, const ManifestChange& change) {
  absl::MutexLock lock(&header_mutex_);
  FPO_ASSIGN_OR_RETURN(ManifestHeader header, GetManifest(id));
  if (change.used) header.used = *change.used;
  if (change.pinned_until) header.pinned_until = *change.pinned_until;
  if (change.retained_until) header.retained_until = *change.retained_until;
  WriteSet writes;
  writes.Put(kMeta, ManifestKey(id), EncodeManifest(header));
  // Protection must not depend on free space.
  return database_->WriteIntoReserve(writes);
}

absl::Status RocksdbStore::RemoveManifest(const Digest& id) {
  absl::MutexLock header_lock(&header_mutex_);
  const absl::StatusOr<std::optional<std::string>> known = database_->Get(kMeta, ManifestKey(id));
  WriteSet writes;
  writes.Delete(kMeta, ManifestKey(id));
  writes.DeleteRange(kManifests, ToBytes(id), PrefixEnd(ToBytes(id)));
  FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  absl::MutexLock lock(&totals_mutex_);
  if (known.ok() && *known) --totals_.manifests;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::optional<IndexEntry>>> RocksdbStore::LookupPaths(
    absl::Span<const std::string> paths) const {
  const absl::StatusOr<std::vector<std::optional<std::string>>> values =
      database_->MultiGet(kIndex, paths);
  if (!values.ok() && !absl::IsDataLoss(values.status())) return values.status();
  std::vector<std::optional<IndexEntry>> entries(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    // A damaged block fails the whole look-up: look up one by one, to lose only what the block
    // holds.
    const absl::StatusOr<std::optional<std::string>> value =
        values.ok() ? (*values)[i] : database_->Get(kIndex, paths[i]);
    if (!value.ok() && !absl::IsDataLoss(value.status())) return value.status();
    if (value.ok() && !*value) continue;
    const absl::StatusOr<IndexEntry> entry =
        value.ok() ? DecodeIndexEntry(**value) : absl::StatusOr<IndexEntry>(value.status());
    entries[i] = entry.ok() ? *entry : IndexEntry{.quarantined = true};
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
    paths.push_back(RecordPath(planned.recipe_id, planned.record->key));
  }
  const KeyReservations::Hold hold(&puts_, paths);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> entries, LookupPaths(paths));
  FPO_FAILPOINT("cache.put.before_write");
  WriteSet writes;
  std::vector<PutOutcome> outcomes;
  StoreTotals added;
  for (size_t i = 0; i < plan.size(); ++i) {
    outcomes.push_back(OutcomeFor(plan[i], entries[i]));
    if (outcomes.back() != PutOutcome::kStored) continue;
    const IndexEntry entry{.size = static_cast<uint32_t>(plan[i].record->bytes.size()),
                           .digest = plan[i].record->sha256,
                           .quarantined = false,
                           .created = now};
    writes.Put(kIndex, paths[i], EncodeIndexEntry(entry));
    writes.Put(kData, paths[i], EncodeData(*plan[i].record));
    ++added.records;
    added.bytes += entry.size;
    if (entries[i]) --added.quarantined;
  }
  if (!writes.empty()) {
    const bool bulk = writes.bytes() >= kIngestBytesMin;
    FPO_RETURN_IF_ERROR(bulk ? database_->Ingest(writes) : database_->Write(writes));
    AddToTotals(added.records, added.bytes, added.quarantined);
  }
  FPO_FAILPOINT("cache.put.after_write");
  return CollectOutcomes(plan, outcomes);
}

absl::StatusOr<RecordBatch> RocksdbStore::ReadRecords(const Digest& recipe_id,
                                                      absl::Span<const Digest> keys,
                                                      absl::Time now) {
  // Sorted look-ups take the blocks in order.
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  std::vector<std::string> paths;
  paths.reserve(keys.size());
  for (const size_t i : order) paths.push_back(RecordPath(recipe_id, keys[i]));
  RecordBatch batch;
  batch.records.resize(keys.size());
  const absl::Status read =
      database_->MultiVisit(kData, paths, [&](size_t n, absl::string_view value) {
        absl::StatusOr<PackedRecord> record = DecodeData(keys[order[n]], value);
        if (record.ok()) batch.records[order[n]] = *std::move(record);
      });
  if (!read.ok() && !absl::IsDataLoss(read)) return read;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (batch.records[i]) continue;
    bool damaged = false;
    FPO_ASSIGN_OR_RETURN(batch.records[i], ReadAgain({recipe_id, keys[i]}, now, &damaged));
    if (damaged) batch.damaged.push_back(i);
  }
  return batch;
}

StoreTotals RocksdbStore::Totals() const {
  StoreTotals totals;
  {
    absl::MutexLock lock(&totals_mutex_);
    totals = totals_;
  }
  totals.repairs = database_->repairs();
  totals.disk_bytes = database_->DiskBytes();
  totals.free_bytes = database_->FreeBytes();
  return totals;
}

absl::Status RocksdbStore::CopyTo(const std::string& path) const {
  FPO_RETURN_IF_ERROR(database_->Checkpoint(path));
  RocksdbStoreOptions copy = options_;
  copy.path = path;
  return Database::VerifyFolder(ToDatabaseOptions(copy));
}

void RocksdbStore::AddToTotals(int64_t records, int64_t bytes, int64_t quarantined) {
  absl::MutexLock lock(&totals_mutex_);
  totals_.records += records;
  totals_.bytes += bytes;
  totals_.quarantined += quarantined;
}

absl::Status RocksdbStore::Writable() const {
  FPO_RETURN_IF_ERROR(database_->Health());
  return database_->CheckSpace();
}

}  // namespace fpo::cache
