#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/core/records/loaded_manifest.h"

namespace fpo::cache {

// How complete a manifest is; kept for manifests that are not in memory.
struct ManifestCounts {
  int64_t present = 0;
  int64_t bytes = 0;
};

// All manifests of the cache: the recently used ones in memory with their keys, of the others only
// the counts. Not thread-safe.
class ManifestTable {
 public:
  // `keys_max`: keys in memory over all manifests (about 100 bytes each); the last used manifest
  // always stays.
  explicit ManifestTable(int64_t keys_max) : keys_max_(keys_max) {}

  // A manifest whose counts are not known yet.
  void AddUnknown(const ManifestHeader& header);
  // Puts it in memory, replacing an older state, and drops the least recently used ones that no
  // longer fit.
  void Load(std::unique_ptr<LoadedManifest> progress);
  // Null when it is not in memory. Valid until the next Load.
  LoadedManifest* Find(const Digest& id);
  std::optional<ManifestCounts> CountsOf(const Digest& id) const;

  // Counts determined without loading it.
  void SetCounts(const Digest& id, const ManifestCounts& counts);

  void Remove(const Digest& id);
  // A job used it.
  void Touch(const Digest& id, absl::Time now);
  absl::Time AccessedAt(const Digest& id) const;  // InfinitePast: not since the cache started
  // Forgets which records exist, because they changed elsewhere.
  void ForgetProgress();

  void MarkPresent(const StoredRecord& record);
  void MarkAbsent(const StoredRecord& record);

  struct States {
    int64_t complete = 0;
    int64_t incomplete = 0;
    int64_t unknown = 0;
  };
  States CountStates() const;
  std::optional<Digest> AnyUnknown() const;  // one whose counts are unknown

 private:
  struct Known {
    Digest recipe_id{};
    int64_t total = 0;
    std::optional<ManifestCounts> counts = {};  // of a manifest that is not loaded
    std::unique_ptr<LoadedManifest> loaded = {};
    std::list<Digest>::iterator use = {};  // in use_order_ while loaded
    absl::Time accessed = absl::InfinitePast();
  };

  void Evict();

  const int64_t keys_max_;
  int64_t keys_loaded_ = 0;
  std::map<Digest, Known> known_;
  std::list<Digest> use_order_;  // of loaded manifests, last used first
};

}  // namespace fpo::cache
