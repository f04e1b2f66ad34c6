#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/core/store/store.h"

namespace fpo::cache {

// A Store without a disk, for tests. Everything is lost with it.
class MemoryStore : public Store {
 public:
  explicit MemoryStore(uint32_t boot_number = 1) : boot_number_(boot_number) {}

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

  // Faults for tests: a flipped bit in a stored record or in a manifest's key list; an error that
  // every write meets until it is OK.
  void CorruptForTest(const Digest& recipe_id, const Digest& key);
  void CorruptManifestForTest(const Digest& id);
  void FailWritesForTest(absl::Status error);

 private:
  struct StoredManifest {
    ManifestHeader header;
    std::vector<Digest> keys;
    bool damaged = false;
  };
  struct Value {
    IndexEntry entry;
    std::string bytes;
  };

  void QuarantineLocked(const QuarantinedRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint32_t boot_number_;

  mutable absl::Mutex mutex_;
  std::map<Digest, StoredManifest> manifests_ ABSL_GUARDED_BY(mutex_);
  std::map<RecordPosition, Value> records_ ABSL_GUARDED_BY(mutex_);
  std::map<RecordPosition, QuarantinedRecord> quarantined_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, RecipeCost> costs_ ABSL_GUARDED_BY(mutex_);
  absl::Status write_error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
