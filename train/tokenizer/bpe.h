#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// Adjacent `left` and `right` become `result`; all three are ids.
struct BpeMerge {
  int32_t left = 0, right = 0, result = 0;
};

// The data of a byte-pair encoding.
struct BpeModel {
  std::vector<std::string> pieces;  // by id, each of them UTF-8 and none twice
  std::vector<BpeMerge> merges;     // the first one is applied first
  std::optional<int32_t> unknown;   // stands for a character that is neither piece nor bytes
  bool byte_fallback = true;        // spell such a character as "<0xE2>" "<0x96>" ... if it can be
  bool fuse_unknown = true;         // adjacent unknown characters are one id
  bool ignore_merges = false;       // a text that is itself a piece becomes that piece
};

// Byte-pair encoding as the `tokenizers` library does it: characters, then always the best-ranked
// merge, the leftmost of equals. O(n log n) for n characters. Thread-safe.
class Bpe {
 public:
  explicit Bpe(BpeModel model);
  Bpe(Bpe&&) noexcept = default;
  Bpe& operator=(Bpe&&) noexcept = default;
  Bpe(const Bpe&) = delete;

  // Appends the ids of `text`, which is well-formed UTF-8. A character that is no piece and has
  // neither byte pieces nor `unknown` is dropped; readers of files reject such models.
  void Encode(absl::string_view text, std::vector<int32_t>* ids) const;

  std::optional<int32_t> IdOf(absl::string_view piece) const;
  const BpeModel& model() const { return model_; }

 private:
  struct Symbol;
  struct Word;
  void Atoms(absl::string_view text, Word* word, std::vector<int32_t>* ids) const;
  void Add(int32_t atom, Word* word, std::vector<int32_t>* ids) const;
  void Finish(Word* word, std::vector<int32_t>* ids) const;
  void Rank(size_t at, Word* word) const;
  void Merge(Word* word) const;
  void FindSeams();
  bool MayJoin(int32_t left, int32_t right) const;

  BpeModel model_;
  absl::flat_hash_map<absl::string_view, int32_t> ids_;  // views of model_.pieces
  std::vector<int32_t> id_of_code_point_;                // -1: no piece
  std::vector<int32_t> id_of_byte_;                      // -1: no piece
  absl::flat_hash_map<uint64_t, uint32_t> rank_of_pair_;
  // A filter over the pairs of characters that some merge joins. No merge crosses a pair that is
  // not in it, so text is cut there and the parts are encoded separately. False positives only cost
  // time. Empty: no cutting.
  std::vector<uint64_t> seams_;
};

}  // namespace fpo::train
