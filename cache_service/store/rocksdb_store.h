#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache_service/store/key_reservations.h"
#include "cache_service/store/store.h"
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
  absl::Status TouchManifest(const Digest& id, absl::Time used) override;
  absl::StatusOr<std::vector<std::optional<IndexEntry>>> Lookup(
      const Digest& recipe_id, absl::Span<const Digest> keys) const override;
  absl::StatusOr<PutResult> PutRecords(const Recipe& recipe, absl::Span<const PackedRecord> records,
                                       absl::Time now) override;
  absl::StatusOr<std::vector<std::optional<PackedRecord>>> ReadRecords(
      const Digest& recipe_id, absl::Span<const Digest> keys) override;
  StoreTotals Totals() const override;
  absl::Status Writable() const override;
  absl::Status Recover(absl::Time now) override;

 private:
  explicit RocksdbStore(std::unique_ptr<Database> database);
  absl::Status CountContents();
  absl::Status AdvanceBootNumber();
  absl::Status WriteKeys(const Digest& id, absl::Span<const Digest> keys);
  absl::StatusOr<std::vector<std::optional<IndexEntry>>> LookupPaths(
      absl::Span<const std::string> paths) const;
  absl::StatusOr<std::optional<PackedRecord>> ReadOne(const Digest& recipe_id, const Digest& key);
  absl::Status Quarantine(const Digest& recipe_id, const Digest& key);

  const std::unique_ptr<Database> database_;
  uint32_t boot_number_ = 0;  // constant after Open

  KeyReservations puts_;

  absl::Mutex header_mutex_;  // a header is read, changed and written as one step
  mutable absl::Mutex totals_mutex_;
  StoreTotals totals_ ABSL_GUARDED_BY(totals_mutex_);  // without disk_bytes and free_bytes
};

}  // namespace fpo::cache
