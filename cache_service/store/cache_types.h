#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cache_service/store/manifest_table.h"
#include "cache_service/store/store.h"

namespace fpo::cache {

// What others may ask for at most.
inline constexpr int64_t kManifestKeysMax = 2'000'000;
inline constexpr int64_t kKeysPerCallMax = 4096;
inline constexpr int64_t kClaimKeysMax = 1024;
inline constexpr int64_t kReadKeysMax = 256;
inline constexpr int64_t kPackedBytesMax =
    (1 << 20) + (4 << 10);  // 1 MiB of records with their frame
inline constexpr int64_t kRecipeBytesMax = 64 << 10;
inline constexpr int64_t kNameBytesMax = 256;

struct ManifestStatus {
  ManifestHeader header;
  int64_t present = 0;
  int64_t bytes = 0;  // of present records
};

struct NewManifest {
  std::string recipe;  // canonical
  std::vector<Digest> keys;
  std::string owner;
  std::string name;
};

struct ClaimGrant {
  uint64_t claim_id = 0;          // 0: nothing was granted
  std::vector<int64_t> ordinals;  // into the manifest
  bool complete = false;          // nothing is missing
  absl::Duration retry_after;     // everything missing is claimed until then
  absl::Duration lease;
};

struct PutCounts {
  int64_t stored = 0;
  int64_t present = 0;
  int64_t conflict = 0;
};

struct ManifestView {
  int64_t present = 0;
  int64_t total = 0;
  int64_t claimable = 0;  // missing and claimed by nobody

  bool operator==(const ManifestView&) const = default;
};

// Since start. Each is its own atomic; read together they are not one snapshot.
struct CacheCounters {
  std::atomic<int64_t> hits = 0;    // keys of registered manifests that were present
  std::atomic<int64_t> misses = 0;  // and that were not
  std::atomic<int64_t> stored = 0;
  std::atomic<int64_t> present = 0;
  std::atomic<int64_t> conflict = 0;
  std::atomic<int64_t> refused = 0;
  std::atomic<int64_t> corruptions = 0;  // bad records met while reading
};

struct CacheTotals {
  StoreTotals store;
  ManifestTable::States manifests;
  int64_t claims = 0;  // live
  int64_t claimed_keys = 0;
  int64_t claims_expired = 0;
};

}  // namespace fpo::cache
