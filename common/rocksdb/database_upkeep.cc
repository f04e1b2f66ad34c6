// Upkeep of a store: repair, verification, reclaiming space, statistics.
#include <rocksdb/options.h>

#include "common/rocksdb/database.h"
#include "common/rocksdb/database_state.h"
#include "common/status_macros.h"

namespace fpo {

absl::Status Database::State::Repair() {
  ++repairs;
  // An old WAL must not be replayed twice: RepairDB turns the logs into tables itself.
  const rocksdb::DBOptions db_options = DbOptions();
  return FromRocksStatus(rocksdb::RepairDB(options.path, db_options, Descriptors()),
                         absl::StrCat("repair the store ", options.path));
}

absl::StatusOr<std::unique_ptr<OpenDb>> Database::State::OpenOrRepair() {
  absl::StatusOr<std::unique_ptr<OpenDb>> opened = OpenFolder();
  if (!absl::IsDataLoss(opened.status()) || !options.repair_when_damaged) return opened;
  FPO_RETURN_IF_ERROR(Repair());
  latch->Clear();
  return OpenFolder();
}

absl::Status Database::VerifyFiles() const {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  return FromRocksStatus(open->db->VerifyFileChecksums(rocksdb::ReadOptions()),
                         absl::StrCat("verify the files of the store ", path()));
}

absl::Status Database::VerifyFolder(const DatabaseOptions& options) {
  State state;
  state.options = options;
  state.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  OpenDb open;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
      state.DbOptions(), options.path, state.Descriptors(), &open.families, &db);
  open.db.reset(db);
  FPO_RETURN_IF_ERROR(FromRocksStatus(status, absl::StrCat("open the copy ", options.path)));
  return FromRocksStatus(db->VerifyFileChecksums(rocksdb::ReadOptions()),
                         absl::StrCat("verify the copy ", options.path));
}

absl::Status Database::Compact(int family, const std::string& begin, const std::string& end) {
  absl::ReaderMutexLock lock(&state_->mutex);
  FPO_ASSIGN_OR_RETURN(OpenDb * open, state_->Ready());
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kIfHaveCompactionFilter;
  const rocksdb::Slice first(begin), last(end);
  return FromRocksStatus(
      open->db->CompactRange(options, open->families[family], begin.empty() ? nullptr : &first,
                             end.empty() ? nullptr : &last),
      absl::StrCat("compact the store ", path()));
}

// A compaction holds the reader lock for minutes, and whoever waits for the writer lock keeps new
// readers out for as long. What reopens the store ends it first.
void Database::EndCompactions() {
  absl::ReaderMutexLock lock(&state_->mutex);
  if (state_->open) state_->open->db->DisableManualCompaction();
}

int64_t Database::repairs() const { return state_->repairs; }

std::vector<std::pair<std::string, double>> Database::Properties() const {
  using P = rocksdb::DB::Properties;
  struct Property {
    const char* name;
    const std::string& key;
    bool per_family;
  };
  static const std::vector<Property> properties = {
      {"memtable_bytes", P::kCurSizeAllMemTables, true},
      {"table_bytes", P::kTotalSstFilesSize, true},
      {"table_reader_bytes", P::kEstimateTableReadersMem, true},
      {"pending_compaction_bytes", P::kEstimatePendingCompactionBytes, true},
      {"running_compactions", P::kNumRunningCompactions, false},
      {"running_flushes", P::kNumRunningFlushes, false},
      {"background_errors", P::kBackgroundErrors, false},
      {"write_stopped", P::kIsWriteStopped, false},
      {"block_cache_usage_bytes", P::kBlockCacheUsage, false},
      {"block_cache_capacity_bytes", P::kBlockCacheCapacity, false},
  };
  std::vector<std::pair<std::string, double>> values;
  absl::ReaderMutexLock lock(&state_->mutex);
  if (!state_->open) return values;
  for (const Property& property : properties) {
    double sum = 0;
    for (rocksdb::ColumnFamilyHandle* family : state_->open->families) {
      uint64_t value = 0;
      state_->open->db->GetIntProperty(family, property.key, &value);
      sum += static_cast<double>(value);
      if (!property.per_family) break;
    }
    values.emplace_back(property.name, sum);
  }
  return values;
}

}  // namespace fpo
