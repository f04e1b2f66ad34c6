#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"

namespace fpo::cache {

// Which records some manifest needs. Of a key only its first eight bytes are kept: keys are
// digests, and where two share them, one record too many stays. Not thread-safe.
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
