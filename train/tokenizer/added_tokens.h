#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fpo::train {

// A text that is always one id: "<bos>", "<start_of_turn>", a run of newlines, a mark that a
// fine-tune added. Outside the piece list when `id` is at or above its size.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool lstrip = false;      // includes the white space before it
  bool rstrip = false;      // includes the white space after it
  bool normalized = false;  // matched in the normalised text, itself normalised
  bool special = false;
};

// Finds added tokens in a text: the leftmost, and the longest of those. Thread-safe.
class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Walks `text`: `plain` receives every non-empty stretch between tokens, `token` every id. What
  // stands at an offset in `literal` (ascending) is no token.
  void Split(absl::string_view text, absl::FunctionRef<void(absl::string_view)> plain,
             absl::FunctionRef<void(int32_t)> token, absl::Span<const size_t> literal = {}) const;

 private:
  // The longest token at `begin`: its number in tokens_, or -1.
  int32_t LongestAt(absl::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  // A tree of the contents' bytes: node << 8 | byte to the next node. Node 0 is the root.
  absl::flat_hash_map<uint64_t, uint32_t> next_node_;
  std::vector<int32_t> token_of_node_;  // -1: no content ends here
  std::vector<bool> starts_;            // by byte: some content begins with it
};

}  // namespace fpo::train
