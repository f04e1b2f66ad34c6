#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"
#include "common/hash.h"
#include "common/reference/recipe.h"
#include "common/reference/record_file.h"

namespace fpo::cache {

// Storage of records and manifests. Records are immutable: the first value of a (recipe, key)
// stays. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // A number that is larger than at every earlier opening, and durable.
  virtual uint32_t BootNumber() const = 0;

  // Stores keys, then header. The header of an existing id is kept except for `used`,
  // `retained_until` and the shares, which are added to its own.
  virtual absl::Status PutManifest(const ManifestHeader& header, absl::Span<const Digest> keys) = 0;
  virtual absl::StatusOr<ManifestHeader> GetManifest(const Digest& id) const = 0;  // NotFound
  // By id. Leaves out a damaged header: the next job that needs its manifest registers it again.
  virtual absl::StatusOr<std::vector<ManifestHeader>> ListManifests() const = 0;
  // Keys [from, from + count) of a manifest, fewer at its end. DataLoss: the stored list fails its
  // check.
  virtual absl::StatusOr<std::vector<Digest>> ManifestKeys(const Digest& id, int64_t from,
                                                           int64_t count) const = 0;
  virtual absl::Status ChangeManifest(const Digest& id, const ManifestChange& change) = 0;
  // OK when it is absent. Its records stay.
  virtual absl::Status RemoveManifest(const Digest& id) = 0;

  // In the order of `keys`; nullopt for a key never stored. An entry that cannot be read counts as
  // quarantined.
  virtual absl::StatusOr<std::vector<std::optional<IndexEntry>>> Lookup(
      const Digest& recipe_id, absl::Span<const Digest> keys) const = 0;
  // All or nothing, durable on return. A quarantined record is replaced. A recipe with SAEs also
  // stores each record's margin-only form under MarginRecipe(recipe), which DPO jobs request. Each
  // key at most once in `records`. InvalidArgument: not a record of this recipe; ResourceExhausted:
  // disk nearly full; Unavailable: read-only after a disk error.
  virtual absl::StatusOr<PutResult> PutRecords(const Recipe& recipe,
                                               absl::Span<const PackedRecord> records,
                                               absl::Time now) = 0;
  // Bytes are checked against their digest; a record that is missing although the index names it
  // counts as damaged.
  virtual absl::StatusOr<RecordBatch> ReadRecords(const Digest& recipe_id,
                                                  absl::Span<const Digest> keys,
                                                  absl::Time now) = 0;
  // Up to `count` entries from `from` on.
  virtual absl::StatusOr<IndexPage> ScanIndex(const RecordPosition& from, int64_t count) const = 0;
  // Takes a record out of use: it counts as absent until it is stored again. OK when it is absent
  // or quarantined already.
  virtual absl::Status Quarantine(const QuarantinedRecord& record) = 0;
  // The evidence kept, by position; at most `count`. ForgetQuarantined removes what is older.
  virtual absl::StatusOr<std::vector<QuarantinedRecord>> ListQuarantined(int64_t count) const = 0;
  virtual absl::Status ForgetQuarantined(absl::Time before) = 0;
  // Removes records for good; works also on a nearly full disk.
  virtual absl::Status RemoveRecords(const Digest& recipe_id, absl::Span<const Digest> keys) = 0;
  // Reclaims the space of many removals. May take minutes; other calls continue meanwhile.
  virtual absl::Status Compact() = 0;

  virtual absl::Status PutCost(const Digest& recipe_id, const RecipeCost& cost) = 0;
  virtual absl::StatusOr<std::map<Digest, RecipeCost>> ListCosts() const = 0;

  virtual StoreTotals Totals() const = 0;
  virtual absl::Status Writable() const = 0;         // why writes are refused
  virtual absl::Status Recover(absl::Time now) = 0;  // call regularly: reopens after a disk error
};

}  // namespace fpo::cache
