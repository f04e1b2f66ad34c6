#include "cache/core/records/manifest_table.h"

#include <utility>

namespace fpo::cache {

void ManifestTable::AddUnknown(const ManifestHeader& header) {
  known_.try_emplace(header.id, Known{.recipe_id = header.recipe_id, .total = header.total});
}

void ManifestTable::Load(std::unique_ptr<LoadedManifest> progress) {
  const Digest id = progress->header().id;
  AddUnknown(progress->header());
  Known& known = known_.at(id);
  if (known.loaded) {
    keys_loaded_ -= known.loaded->total();
    use_order_.erase(known.use);
  }
  keys_loaded_ += progress->total();
  known.loaded = std::move(progress);
  known.counts.reset();
  use_order_.push_front(id);
  known.use = use_order_.begin();
  Evict();
}

void ManifestTable::Evict() {
  while (keys_loaded_ > keys_max_ && use_order_.size() > 1) {
    Known& last = known_.at(use_order_.back());
    use_order_.pop_back();
    keys_loaded_ -= last.loaded->total();
    last.counts = ManifestCounts{last.loaded->present(), last.loaded->bytes()};
    last.loaded.reset();
  }
}

LoadedManifest* ManifestTable::Find(const Digest& id) {
  const auto it = known_.find(id);
  if (it == known_.end() || !it->second.loaded) return nullptr;
  use_order_.splice(use_order_.begin(), use_order_, it->second.use);
  return it->second.loaded.get();
}

std::optional<ManifestCounts> ManifestTable::CountsOf(const Digest& id) const {
  const auto it = known_.find(id);
  if (it == known_.end()) return std::nullopt;
  const Known& known = it->second;
  if (known.loaded) return ManifestCounts{known.loaded->present(), known.loaded->bytes()};
  return known.counts;
}

void ManifestTable::SetCounts(const Digest& id, const ManifestCounts& counts) {
  const auto it = known_.find(id);
  if (it != known_.end() && !it->second.loaded) it->second.counts = counts;
}

void ManifestTable::Remove(const Digest& id) {
  const auto it = known_.find(id);
  if (it == known_.end()) return;
  if (it->second.loaded) {
    keys_loaded_ -= it->second.loaded->total();
    use_order_.erase(it->second.use);
  }
  known_.erase(it);
}

void ManifestTable::Touch(const Digest& id, absl::Time now) {
  const auto it = known_.find(id);
  if (it != known_.end()) it->second.accessed = now;
}

absl::Time ManifestTable::AccessedAt(const Digest& id) const {
  const auto it = known_.find(id);
  return it == known_.end() ? absl::InfinitePast() : it->second.accessed;
}

void ManifestTable::ForgetProgress() {
  for (auto& [id, known] : known_) {
    known.loaded.reset();
    known.counts.reset();
  }
  use_order_.clear();
  keys_loaded_ = 0;
}

void ManifestTable::MarkPresent(const StoredRecord& record) {
  for (auto& [id, known] : known_) {
    if (known.recipe_id != record.recipe_id) continue;
    if (known.loaded) {
      known.loaded->MarkPresent(record.key, record.size);
    } else if (known.counts && known.counts->present < known.total) {
      // Whether it has this key is unknown: count again when asked.
      known.counts.reset();
    }
  }
}

void ManifestTable::MarkAbsent(const StoredRecord& record) {
  for (auto& [id, known] : known_) {
    if (known.recipe_id != record.recipe_id) continue;
    if (known.loaded) {
      known.loaded->MarkAbsent(record.key, record.size);
    } else {
      known.counts.reset();
    }
  }
}

ManifestTable::States ManifestTable::CountStates() const {
  States states;
  for (const auto& [id, known] : known_) {
    const std::optional<ManifestCounts> counts = CountsOf(id);
    if (!counts) {
      ++states.unknown;
    } else if (counts->present == known.total) {
      ++states.complete;
    } else {
      ++states.incomplete;
    }
  }
  return states;
}

std::optional<Digest> ManifestTable::AnyUnknown() const {
  for (const auto& [id, known] : known_) {
    if (!known.loaded && !known.counts) return id;
  }
  return std::nullopt;
}

}  // namespace fpo::cache
