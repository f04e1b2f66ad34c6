// The upkeep half of RocksdbStore: damage, removal, copies, costs.
#include "absl/strings/str_cat.h"
#include "cache/core/store/key_layout.h"
#include "cache/core/store/rocksdb_store.h"
#include "common/failpoint.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr size_t kEvidenceBytesMax = 64 << 10;
constexpr size_t kRebuildBatch = 1024;

}  // namespace

absl::StatusOr<std::optional<PackedRecord>> RocksdbStore::ReadAgain(const RecordPosition& position,
                                                                    absl::Time now, bool* damaged) {
  const std::string path = RecordPath(position.recipe_id, position.key);
  const KeyReservations::Hold hold(&puts_, {path});
  const absl::StatusOr<std::optional<std::string>> value = database_->Get(kData, path);
  if (!value.ok() && !absl::IsDataLoss(value.status())) return value.status();
  QuarantinedRecord bad{.position = position, .when = now, .reason = {}, .bytes = {}};
  if (value.ok() && *value) {
    absl::StatusOr<PackedRecord> record = DecodeData(position.key, **value);
    if (record.ok()) return std::optional<PackedRecord>(*std::move(record));
    bad.reason = std::string(record.status().message());
    bad.bytes = **value;
  } else {
    FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> found, LookupPaths({path}));
    if (!found[0] || found[0]->quarantined) return std::optional<PackedRecord>();
    bad.reason = value.ok() ? "the index names it and its bytes are gone"
                            : std::string(value.status().message());
  }
  FPO_RETURN_IF_ERROR(QuarantineHeld(bad));
  *damaged = true;
  return std::optional<PackedRecord>();
}

absl::Status RocksdbStore::Quarantine(const QuarantinedRecord& record) {
  const std::string path = RecordPath(record.position.recipe_id, record.position.key);
  const KeyReservations::Hold hold(&puts_, {path});
  QuarantinedRecord with_bytes = record;
  if (record.bytes.empty()) {
    const absl::StatusOr<std::optional<std::string>> value = database_->Get(kData, path);
    if (value.ok() && *value) with_bytes.bytes = **value;
  }
  return QuarantineHeld(with_bytes);
}

absl::Status RocksdbStore::QuarantineHeld(const QuarantinedRecord& record) {
  const std::string path = RecordPath(record.position.recipe_id, record.position.key);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> found, LookupPaths({path}));
  if (!found[0] || found[0]->quarantined) return absl::OkStatus();
  IndexEntry entry = *found[0];
  entry.quarantined = true;
  QuarantinedRecord evidence = record;
  evidence.bytes.resize(std::min(evidence.bytes.size(), kEvidenceBytesMax));
  WriteSet writes;
  writes.Put(kIndex, path, EncodeIndexEntry(entry));
  writes.Put(kQuarantine, path, EncodeQuarantined(evidence));
  writes.Delete(kData, path);
  FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  AddToTotals(-1, -static_cast<int64_t>(entry.size), 1);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<QuarantinedRecord>> RocksdbStore::ListQuarantined(int64_t count) const {
  std::vector<QuarantinedRecord> list;
  FPO_RETURN_IF_ERROR(
      database_->Scan(kQuarantine, "", "", [&](absl::string_view path, absl::string_view value) {
        if (static_cast<int64_t>(list.size()) == count) return false;
        absl::StatusOr<QuarantinedRecord> record = DecodeQuarantined(path, value);
        if (record.ok()) list.push_back(*std::move(record));
        return true;
      }));
  return list;
}

absl::Status RocksdbStore::ForgetQuarantined(absl::Time before) {
  WriteSet writes;
  FPO_RETURN_IF_ERROR(
      database_->Scan(kQuarantine, "", "", [&](absl::string_view path, absl::string_view value) {
        const absl::StatusOr<QuarantinedRecord> record = DecodeQuarantined(path, value);
        if (!record.ok() || record->when < before) writes.Delete(kQuarantine, path);
        return true;
      }));
  return writes.empty() ? absl::OkStatus() : database_->WriteIntoReserve(writes);
}

absl::StatusOr<IndexPage> RocksdbStore::ScanIndex(const RecordPosition& from, int64_t count) const {
  IndexPage page;
  absl::Status malformed;
  FPO_RETURN_IF_ERROR(
      database_->Scan(kIndex, RecordPath(from.recipe_id, from.key), "",
                      [&](absl::string_view path, absl::string_view value) {
                        const absl::StatusOr<RecordPosition> position = ParseRecordPath(path);
                        const absl::StatusOr<IndexEntry> entry = DecodeIndexEntry(value);
                        malformed = position.ok() ? entry.status() : position.status();
                        if (!malformed.ok()) return false;
                        if (static_cast<int64_t>(page.entries.size()) == count) {
                          page.next = *position;
                          return false;
                        }
                        page.entries.emplace_back(*position, *entry);
                        return true;
                      }));
  FPO_RETURN_IF_ERROR(malformed);
  return page;
}

absl::Status RocksdbStore::RemoveRecords(const Digest& recipe_id, absl::Span<const Digest> keys) {
  std::vector<std::string> paths;
  for (const Digest& key : keys) paths.push_back(RecordPath(recipe_id, key));
  const KeyReservations::Hold hold(&puts_, paths);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> entries, LookupPaths(paths));
  WriteSet writes;
  StoreTotals gone;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (!entries[i]) continue;
    writes.Delete(kIndex, paths[i]);
    writes.Delete(kData, paths[i]);
    gone.quarantined += entries[i]->quarantined;
    gone.records += !entries[i]->quarantined;
    gone.bytes += entries[i]->quarantined ? 0 : entries[i]->size;
  }
  if (writes.empty()) return absl::OkStatus();
  FPO_FAILPOINT("cache.gc.before_remove");
  FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  AddToTotals(-gone.records, -gone.bytes, -gone.quarantined);
  return absl::OkStatus();
}

absl::Status RocksdbStore::Compact() {
  FPO_RETURN_IF_ERROR(database_->Compact(kIndex, "", ""));
  return database_->Compact(kData, "", "");
}

absl::Status RocksdbStore::PutCost(const Digest& recipe_id, const RecipeCost& cost) {
  WriteSet writes;
  writes.Put(kMeta, CostKey(recipe_id), EncodeCost(cost));
  return database_->Write(writes, /*sync=*/false);
}

absl::StatusOr<std::map<Digest, RecipeCost>> RocksdbStore::ListCosts() const {
  std::map<Digest, RecipeCost> costs;
  FPO_RETURN_IF_ERROR(database_->Scan(kMeta, CostPrefix(), PrefixEnd(CostPrefix()),
                                      [&](absl::string_view key, absl::string_view value) {
                                        const absl::StatusOr<Digest> id = ParseCostKey(key);
                                        const absl::StatusOr<RecipeCost> cost = DecodeCost(value);
                                        if (id.ok() && cost.ok()) costs[*id] = *cost;
                                        return true;
                                      }));
  return costs;
}

absl::Status RocksdbStore::RebuildIndex() {
  std::string from;
  int64_t rebuilt = 0;
  for (bool more = true; more;) {
    std::vector<std::string> paths;
    std::vector<IndexEntry> entries;
    more = false;
    FPO_RETURN_IF_ERROR(
        database_->Scan(kData, from, "", [&](absl::string_view path, absl::string_view value) {
          if (paths.size() == kRebuildBatch) {
            from = std::string(path);
            more = true;
            return false;
          }
          const absl::StatusOr<RecordPosition> position = ParseRecordPath(path);
          if (!position.ok()) return true;
          const absl::StatusOr<PackedRecord> record = DecodeData(position->key, value);
          if (!record.ok()) return true;
          paths.emplace_back(path);
          entries.push_back({.size = static_cast<uint32_t>(record->bytes.size()),
                             .digest = record->sha256,
                             .quarantined = false,
                             .created = absl::UnixEpoch()});
          return true;
        }));
    FPO_ASSIGN_OR_RETURN(const std::vector<std::optional<IndexEntry>> known, LookupPaths(paths));
    WriteSet writes;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (known[i]) continue;
      writes.Put(kIndex, paths[i], EncodeIndexEntry(entries[i]));
      ++rebuilt;
    }
    if (!writes.empty()) FPO_RETURN_IF_ERROR(database_->WriteIntoReserve(writes));
  }
  Log(LogLevel::kError, "damaged files of the store were moved aside; their records are absent now",
      {{"folder", absl::StrCat(database_->path(), "/lost")},
       {"index_entries_rebuilt", absl::StrCat(rebuilt)}});
  return absl::OkStatus();
}

}  // namespace fpo::cache
