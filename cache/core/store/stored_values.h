#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/hash.h"
#include "common/reference/record_file.h"

// Values that a Store takes and returns.
namespace fpo::cache {

// An owner who registered a manifest, and who may read it because of that: "public", "private" or
// "group:NAME".
struct ManifestShare {
  std::string owner;
  std::string share = "public";

  bool operator==(const ManifestShare&) const = default;
};

// One registered data set under one recipe; its ordered keys are stored beside it.
struct ManifestHeader {
  Digest id{};
  Digest recipe_id{};
  std::string recipe;  // canonical
  int64_t total = 0;   // keys
  std::string owner;   // who registered it first
  std::string name;
  absl::Time created;
  absl::Time used;
  absl::Time pinned_until = absl::InfinitePast();    // InfiniteFuture: until it is unpinned
  absl::Time retained_until = absl::InfinitePast();  // by a job that is about to read it
  std::vector<ManifestShare> shares = {};            // one per owner

  bool operator==(const ManifestHeader&) const = default;
};

// Changes of a header; nullopt: unchanged.
struct ManifestChange {
  std::optional<absl::Time> used = {};
  std::optional<absl::Time> pinned_until = {};
  std::optional<absl::Time> retained_until = {};
};

// What is known about a record without reading it.
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

// Records of a read, in the order of the keys; nullopt for absent ones. `damaged`: positions whose
// stored bytes failed a check; these are now quarantined and absent from `records`.
struct RecordBatch {
  std::vector<std::optional<PackedRecord>> records;
  std::vector<size_t> damaged;
};

// A place in the index, which is ordered by recipe and key.
struct RecordPosition {
  Digest recipe_id{};
  Digest key{};

  auto operator<=>(const RecordPosition&) const = default;
};

struct IndexPage {
  std::vector<std::pair<RecordPosition, IndexEntry>> entries;  // in order
  std::optional<RecordPosition> next;                          // nullopt: the index ends here
};

// Evidence of a record that was taken out of use.
struct QuarantinedRecord {
  RecordPosition position;
  absl::Time when;
  std::string reason;
  std::string bytes;  // what was stored, as far as it could be read
};

// The cost of computing a recipe's records so far, over all builders that reported it.
struct RecipeCost {
  int64_t records = 0;
  double seconds = 0;
  double flops = 0;

  bool operator==(const RecipeCost&) const = default;
};

struct StoreTotals {
  int64_t recipes = 0;
  int64_t manifests = 0;
  int64_t records = 0;
  int64_t bytes = 0;  // of encoded records
  int64_t quarantined = 0;
  int64_t disk_bytes = 0;  // with everything around them
  int64_t free_bytes = 0;
  int64_t repairs = 0;  // times damaged files were moved aside since Open
};

}  // namespace fpo::cache
