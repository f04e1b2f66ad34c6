#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "train/tokenizer/tokenizer_spec.h"

namespace fpo::train {

// An added token as Hugging Face's files write it: {"content": ..., "lstrip": ..., "special": ...}.
// Flags that are not given are false. The id stays 0. `where` names file and field in the errors:
// DataLoss for another form, InvalidArgument for single_word, which is not read.
absl::StatusOr<AddedToken> ParseAddedToken(const nlohmann::json& json, const std::string& where);

// DataLoss unless it is an id: a whole number from 0 to the limit.
absl::StatusOr<int32_t> ParseTokenId(const nlohmann::json& json, const std::string& where);

// Adds tokens to a spec whose pieces are complete and do not move. Not thread-safe.
class AddedTokenIndex {
 public:
  explicit AddedTokenIndex(TokenizerSpec* spec);  // not owned

  // Adds the token, or updates the flags of a known one. InvalidArgument when its id is not the one
  // that Hugging Face's tokenizer assigns: that of the piece or added token with this content, else
  // the next free one.
  absl::Status Add(AddedToken token, const std::string& where);

  std::optional<int32_t> IdOf(absl::string_view content) const;
  bool IsAdded(absl::string_view content) const { return added_.contains(content); }

 private:
  std::string Taken(int32_t id) const;  // why a new token cannot have this id

  TokenizerSpec* spec_;
  absl::flat_hash_map<absl::string_view, int32_t> pieces_;  // views of spec_'s pieces
  absl::flat_hash_map<std::string, size_t> added_;          // to its place in spec_->added
  int32_t next_id_;
};

}  // namespace fpo::train
