#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/hash.h"
#include "common/reference/recipe.h"
#include "common/reference/record_file.h"

namespace fpo::cache {

// One registered data set under one recipe; its ordered keys are stored beside it.
struct ManifestHeader {
  Digest id{};
  Digest recipe_id{};
  std::string recipe;  // canonical
  int64_t total = 0;   // keys
  std::string owner;
  std::string name;
  absl::Time created;
  absl::Time used;

  bool operator==(const ManifestHeader&) const = default;
};

// What is known of a record without reading it.
struct IndexEntry {
  uint32_t size = 0;         // bytes of the encoded record
  Digest digest{};           // SHA-256 of them
  bool quarantined = false;  // its bytes went bad: counts as absent
  absl::Time created = {};

  bool operator==(const IndexEntry&) const = default;
};

// What became of each record of one put. `conflict`: another value was there first and stays.
enum class PutOutcome { kStored, kPresent, kConflict };

struct StoredRecord {
  Digest recipe_id{};
  Digest key{};
  uint32_t size = 0;
};

struct PutResult {
  std::vector<PutOutcome> outcomes;  // in the order of the records
  std::vector<StoredRecord> added;   // everything new, margin-only forms included
  int64_t margin_conflicts = 0;      // of the margin-only forms
};

struct StoreTotals {
  int64_t recipes = 0;
  int64_t manifests = 0;
  int64_t records = 0;
  int64_t bytes = 0;       // of encoded records
  int64_t disk_bytes = 0;  // with everything around them
  int64_t free_bytes = 0;
};

// Where records and manifests live. Records are immutable: the first value of a (recipe, key)
// stays. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;

  // A number that is larger than at every earlier opening and is durable.
  virtual uint32_t BootNumber() const = 0;

  // Stores keys, then header. The header of an existing id is kept except for `used`.
  virtual absl::Status PutManifest(const ManifestHeader& header, absl::Span<const Digest> keys) = 0;
  virtual absl::StatusOr<ManifestHeader> GetManifest(const Digest& id) const = 0;  // NotFound
  virtual absl::StatusOr<std::vector<ManifestHeader>> ListManifests() const = 0;   // by id
  // Keys [from, from + count) of a manifest, fewer at its end.
  virtual absl::StatusOr<std::vector<Digest>> ManifestKeys(const Digest& id, int64_t from,
                                                           int64_t count) const = 0;
  virtual absl::Status TouchManifest(const Digest& id, absl::Time used) = 0;

  // In the order of `keys`; nothing for a key never stored.
  virtual absl::StatusOr<std::vector<std::optional<IndexEntry>>> Lookup(
      const Digest& recipe_id, absl::Span<const Digest> keys) const = 0;
  // All or nothing, durable when it returns. A quarantined record is replaced. A recipe with SAEs
  // also stores each record's margin-only form under MarginRecipe(recipe), which a DPO job asks
  // for. Each key at most once in `records`. InvalidArgument: not a record of this recipe;
  // ResourceExhausted: disk nearly full; Unavailable: read-only after a disk error.
  virtual absl::StatusOr<PutResult> PutRecords(const Recipe& recipe,
                                               absl::Span<const PackedRecord> records,
                                               absl::Time now) = 0;
  // In the order of `keys`, nothing for absent ones. Bytes are checked against their digest: a bad
  // record is quarantined and the call fails with DataLoss that names it.
  virtual absl::StatusOr<std::vector<std::optional<PackedRecord>>> ReadRecords(
      const Digest& recipe_id, absl::Span<const Digest> keys) = 0;

  virtual StoreTotals Totals() const = 0;
  virtual absl::Status Writable() const = 0;         // why writes are refused
  virtual absl::Status Recover(absl::Time now) = 0;  // call regularly: reopens after a disk error
};

}  // namespace fpo::cache
