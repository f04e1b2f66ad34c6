#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/core/collection/key_reservations.h"
#include "cache/core/store/store.h"
#include "common/rocksdb/database.h"

namespace fpo::cache {

struct RocksdbStoreOptions {
  std::string path;
  int64_t block_cache_bytes = 64 << 20;
  int64_t free_bytes_min = int64_t{2} << 30;  // writes stop below this or 5 % of the file system
  double free_fraction_min = 0.05;
};

// The Store on disk. Layout: key_layout.h.
class RocksdbStore final : public Store {
 public:
  // Counts records, which reads the whole index once, and makes a new boot number durable.
  static absl::StatusOr<std::unique_ptr<RocksdbStore>> Open(const RocksdbStoreOptions& options);

  uint32_t BootNumber() const override { return boot_number_; }
  absl::Status PutManifest(const ManifestHeader& header, absl::Span<const Digest> keys) override;
  absl::StatusOr<ManifestHeader> GetManifest(const Digest& id) const override;
  absl::StatusOr<std::vector<ManifestHeader>> ListManifests() const override;
  absl::StatusOr<std::vector<Digest>> ManifestKeys(const Digest& id, int64_t from,
                                                   int64_t count) const override;
  absl::Status ChangeManifest(const Digest& id, const ManifestChange& change) override;
  absl::Status RemoveManifest(const Digest& id) override;
  absl::StatusOr<std::vector<std::optional<IndexEntry>>> Lookup(
      const Digest& recipe_id, absl::Span<const Digest> keys) const override;
  absl::StatusOr<PutResult> PutRecords(const Recipe& recipe, absl::Span<const PackedRecord> records,
                                       absl::Time now) override;
  absl::StatusOr<RecordBatch> ReadRecords(const Digest& recipe_id, absl::Span<const Digest> keys,
                                          absl::Time now) override;
  absl::StatusOr<IndexPage> ScanIndex(const RecordPosition& from, int64_t count) const override;
  absl::Status Quarantine(const QuarantinedRecord& record) override;
  absl::StatusOr<std::vector<QuarantinedRecord>> ListQuarantined(int64_t count) const override;
  absl::Status ForgetQuarantined(absl::Time before) override;
  absl::Status RemoveRecords(const Digest& recipe_id, absl::Span<const Digest> keys) override;
  absl::Status Compact() override;
  absl::Status PutCost(const Digest& recipe_id, const RecipeCost& cost) override;
  absl::StatusOr<std::map<Digest, RecipeCost>> ListCosts() const override;
  StoreTotals Totals() const override;
  absl::Status Writable() const override;
  absl::Status Recover(absl::Time now) override;

  // Copies the store to a folder that does not exist yet; verified on return. Opens as a store.
  absl::Status CopyTo(const std::string& path) const;
  // DataLoss names a table file that no longer matches its checksum. Reads every file.
  absl::Status VerifyFiles() const { return database_->VerifyFiles(); }
  std::vector<std::pair<std::string, double>> Properties() const { return database_->Properties(); }

 private:
  enum Family { kMeta, kManifests, kIndex, kData, kQuarantine };

  explicit RocksdbStore(RocksdbStoreOptions options) : options_(std::move(options)) {}
  absl::Status OpenDatabase(bool repair);
  absl::Status CountContents();
  // After files were moved aside: adds the index entries of records that lost theirs.
  absl::Status RebuildIndex();
  absl::Status CheckSchema();
  absl::Status ReadContents();  // CheckSchema, then CountContents; DataLoss: a block is damaged
  absl::Status AdvanceBootNumber();
  absl::Status WriteKeys(const Digest& id, absl::Span<const Digest> keys);
  absl::StatusOr<std::vector<std::optional<IndexEntry>>> LookupPaths(
      absl::Span<const std::string> paths) const;
  // Rereads, alone and apart from puts, a record that did not read well; quarantines it (`damaged`)
  // when it really is bad.
  absl::StatusOr<std::optional<PackedRecord>> ReadAgain(const RecordPosition& position,
                                                        absl::Time now, bool* damaged);
  // The caller holds the path's reservation.
  absl::Status QuarantineHeld(const QuarantinedRecord& record);
  void AddToTotals(int64_t records, int64_t bytes, int64_t quarantined);

  const RocksdbStoreOptions options_;
  std::unique_ptr<Database> database_;
  int64_t repairs_seen_ = 0;
  uint32_t boot_number_ = 0;  // constant after Open

  KeyReservations puts_;

  absl::Mutex header_mutex_;  // a header is read, changed and written as one step
  mutable absl::Mutex totals_mutex_;
  StoreTotals totals_ ABSL_GUARDED_BY(totals_mutex_);  // without disk_bytes and free_bytes
};

}  // namespace fpo::cache
