#include "cache/core/collection/live_keys.h"

#include <algorithm>
#include <cstring>

namespace fpo::cache {
namespace {

uint64_t PrefixOf(const Digest& key) {
  uint64_t prefix = 0;
  std::memcpy(&prefix, key.data(), sizeof(prefix));
  return prefix;
}

}  // namespace

void LiveKeys::Add(const Digest& recipe_id, absl::Span<const Digest> keys) {
  Recipe& recipe = recipes_[recipe_id];
  for (const Digest& key : keys) recipe.prefixes.push_back(PrefixOf(key));
  recipe.sorted = false;
}

bool LiveKeys::Contains(const RecordPosition& position) {
  if (whole_.contains(position.recipe_id)) return true;
  const auto it = recipes_.find(position.recipe_id);
  if (it == recipes_.end()) return false;
  Recipe& recipe = it->second;
  if (!recipe.sorted) std::sort(recipe.prefixes.begin(), recipe.prefixes.end());
  recipe.sorted = true;
  return std::binary_search(recipe.prefixes.begin(), recipe.prefixes.end(), PrefixOf(position.key));
}

}  // namespace fpo::cache
