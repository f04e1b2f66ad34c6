#include "cache/core/records/loaded_manifest.h"

#include <utility>

namespace fpo::cache {

LoadedManifest::LoadedManifest(ManifestHeader header, std::vector<Digest> keys,
                               absl::Span<const std::optional<IndexEntry>> entries)
    : header_(std::move(header)), keys_(std::move(keys)) {
  ordinals_.reserve(keys_.size());
  for (int64_t i = 0; i < total(); ++i) {
    ordinals_[keys_[i]] = i;
    if (entries[i] && !entries[i]->quarantined) {
      bytes_ += entries[i]->size;
    } else {
      missing_.insert(missing_.end(), i);
    }
  }
}

std::optional<int64_t> LoadedManifest::OrdinalOf(const Digest& key) const {
  const auto it = ordinals_.find(key);
  return it == ordinals_.end() ? std::nullopt : std::optional(it->second);
}

bool LoadedManifest::IsMissing(const Digest& key) const {
  const std::optional<int64_t> ordinal = OrdinalOf(key);
  return ordinal && missing_.contains(*ordinal);
}

void LoadedManifest::MarkPresent(const Digest& key, uint32_t size) {
  const std::optional<int64_t> ordinal = OrdinalOf(key);
  if (ordinal && missing_.erase(*ordinal) > 0) bytes_ += size;
}

void LoadedManifest::MarkAbsent(const Digest& key, uint32_t size) {
  const std::optional<int64_t> ordinal = OrdinalOf(key);
  if (ordinal && missing_.insert(*ordinal).second) bytes_ -= size;
}

}  // namespace fpo::cache
