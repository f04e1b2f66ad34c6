#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cache/core/collection/gc_plan.h"
#include "cache/core/records/claim_table.h"
#include "cache/core/records/cost_ledger.h"
#include "cache/core/records/manifest_table.h"
#include "cache/core/store/store.h"
#include "common/clock.h"
#include "common/values/manifest.h"
#include "common/values/record_claim.h"
#include "common/values/record_transfer.h"

namespace fpo::cache {

// Limits on requests.
inline constexpr int64_t kManifestKeysMax = 2'000'000;
inline constexpr int64_t kKeysPerCallMax = 4096;
inline constexpr int64_t kClaimKeysMax = 1024;
inline constexpr int64_t kReadKeysMax = 256;
inline constexpr int64_t kPackedBytesMax =
    (1 << 20) + (4 << 10);  // 1 MiB of records with their frame
inline constexpr int64_t kRecipeBytesMax = 64 << 10;
inline constexpr int64_t kNameBytesMax = 256;

// Not owned. Points of one clock mean nothing on the other, so a test has two that are far apart.
struct CacheClocks {
  const Clock* wall;          // of what is stored with a date
  const SteadyClock* steady;  // of claims, ages and pauses
};

struct ReferenceCacheOptions {
  ClaimTableOptions claims;
  int64_t keys_in_memory_max = 8'000'000;  // of manifests in use; about 100 bytes each
  KeepRules keep;
};

struct ManifestStatus {
  ManifestHeader header;
  int64_t present = 0;
  int64_t bytes = 0;  // of present records
};

// Since start. Each is a separate atomic: together they are not a snapshot.
struct CacheCounters {
  std::atomic<int64_t> hits = 0;    // keys of registered manifests that were present
  std::atomic<int64_t> misses = 0;  // keys that were absent
  std::atomic<int64_t> stored = 0;
  std::atomic<int64_t> present = 0;
  std::atomic<int64_t> conflict = 0;
  std::atomic<int64_t> refused = 0;
  std::atomic<int64_t> corruptions = 0;  // bad records found while a job was reading
  std::atomic<int64_t> scrub_corruptions = 0;
  std::atomic<int64_t> manifest_corruptions = 0;
  std::atomic<int64_t> scrubbed_records = 0;
  std::atomic<int64_t> scrubbed_bytes = 0;
  std::atomic<int64_t> last_scrub_unix_s = 0;  // when a pass over everything ended; 0: none yet
  std::atomic<int64_t> removed_bytes_unused = 0;
  std::atomic<int64_t> removed_bytes_evicted = 0;
  std::atomic<int64_t> removed_bytes_orphaned = 0;  // of no manifest
  std::atomic<double> saved_seconds = 0;
  std::atomic<double> saved_flops = 0;
};

struct RecipeSummary {
  Digest id{};
  std::string recipe;  // canonical
  int64_t manifests = 0;
  ComputeCost per_record = {};  // what computing one took on average; 0: not measured
};

// Totals of one owner's manifests. A record of two owners counts for both.
struct OwnerUse {
  std::string owner;
  int64_t manifests = 0;
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t pinned_bytes = 0;
};

struct CheckReport {
  int64_t records = 0;  // checked
  int64_t bytes = 0;
  std::vector<RecordPosition> damaged;  // quarantined now
  std::optional<RecordPosition> next;   // where to continue; nullopt: at the end
};

struct GcReport {
  bool dry_run = false;
  std::vector<GcDecision> manifests;
  int64_t records_removed = 0;
  int64_t bytes_removed = 0;
  int64_t young_orphans = 0;  // of no manifest, kept until they are old enough
};

struct CacheTotals {
  StoreTotals store;
  ManifestTable::States manifests;
  int64_t claims = 0;  // live
  int64_t claimed_keys = 0;
  int64_t claims_expired = 0;
};

}  // namespace fpo::cache
