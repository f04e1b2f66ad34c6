#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"

namespace fpo::cache {

// Records that some manifest needs. Only the first eight bytes of a key are kept: keys are digests,
// and a collision only keeps one record too many. Not thread-safe.
class LiveKeys {
 public:
  void Add(const Digest& recipe_id, absl::Span<const Digest> keys);
  // A manifest whose keys cannot be read may need any record of its recipe.
  void AddAll(const Digest& recipe_id) { whole_[recipe_id] = true; }
  bool Contains(const RecordPosition& position);

 private:
  struct Recipe {
    std::vector<uint64_t> prefixes;
    bool sorted = true;
  };

  std::map<Digest, Recipe> recipes_;
  std::map<Digest, bool> whole_;
};

}  // namespace fpo::cache
