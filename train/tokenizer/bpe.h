#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// `left` and `right` beside each other become `result`; all three are ids.
struct BpeMerge {
  int32_t left = 0, right = 0, result = 0;
};

// What a byte-pair encoding is made of.
struct BpeModel {
  std::vector<std::string> pieces;  // by id, each of them UTF-8 and none twice
  std::vector<BpeMerge> merges;     // the first one is applied first
  std::optional<int32_t> unknown;   // stands for a character that is neither piece nor bytes
  bool byte_fallback = true;        // spell such a character as "<0xE2>" "<0x96>" ... if it can be
  bool fuse_unknown = true;         // neighbouring unknown characters are one id
  bool ignore_merges = false;       // a text that is a piece as it stands is that piece
};

// Byte-pair encoding as the `tokenizers` library does it: characters, then always the best-ranked
// merge, the leftmost of equals. O(n log n) for n characters. Thread-safe.
class Bpe {
 public:
  explicit Bpe(BpeModel model);
  Bpe(Bpe&&) noexcept = default;
  Bpe& operator=(Bpe&&) noexcept = default;
  Bpe(const Bpe&) = delete;

  // Appends the ids of `text`, which is well-formed UTF-8. A character that is no piece, has no
  // byte pieces and meets no `unknown` is left out; readers of files refuse such models.
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
  // A filter of the pairs of characters that some merge joins. Where a pair is not in it no merge
  // reaches across, so the text can be cut there and the parts encoded one by one. False positives
  // cost time only. Empty: no cutting.
  std::vector<uint64_t> seams_;
};

}  // namespace fpo::train
