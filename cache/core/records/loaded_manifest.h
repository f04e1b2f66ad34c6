#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "cache/core/store/store.h"

namespace fpo::cache {

// A manifest in memory: its keys in order and which of their records exist. Not thread-safe.
class LoadedManifest {
 public:
  // `entries` in the order of `keys`, as Store::Lookup gives them. Keys are distinct.
  LoadedManifest(ManifestHeader header, std::vector<Digest> keys,
                 absl::Span<const std::optional<IndexEntry>> entries);

  const ManifestHeader& header() const { return header_; }
  const std::vector<Digest>& keys() const { return keys_; }
  const absl::btree_set<int64_t>& missing() const { return missing_; }  // ordinals
  int64_t total() const { return static_cast<int64_t>(keys_.size()); }
  int64_t present() const { return total() - static_cast<int64_t>(missing_.size()); }
  int64_t bytes() const { return bytes_; }  // of present records
  bool complete() const { return missing_.empty(); }

  std::optional<int64_t> OrdinalOf(const Digest& key) const;
  bool IsMissing(const Digest& key) const;  // false also for a key that is not of this manifest

  // Both ignore foreign keys and no-op changes.
  void MarkPresent(const Digest& key, uint32_t size);
  void MarkAbsent(const Digest& key, uint32_t size);

 private:
  const ManifestHeader header_;
  const std::vector<Digest> keys_;
  absl::flat_hash_map<Digest, int64_t> ordinals_;
  absl::btree_set<int64_t> missing_;
  int64_t bytes_ = 0;
};

}  // namespace fpo::cache
