#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/tokenizer/added_tokens.h"
#include "train/tokenizer/bpe.h"

namespace fpo::train {

// Every `pattern` becomes `content`, from left to right.
struct TextReplacement {
  std::string pattern, content;
};

// The contents of a tokenizer's files, whichever kind they are.
struct TokenizerSpec {
  std::string file;  // the file it was read from, for messages
  BpeModel bpe;
  std::vector<AddedToken> added;            // each content once
  std::vector<TextReplacement> normalizer;  // of the text between added tokens, in this order
  bool nfc = false;                         // that text becomes Unicode's form C before
  std::string split_behind;  // the normalised text is cut after each occurrence; "": not cut
  // Byte-level encodings: the normalised text is cut into words (word_split.h) with at most so many
  // digits, whose bytes are spelled by characters (byte_level.h). 0: characters as they are.
  int word_digits = 0;
  bool byte_level() const { return word_digits > 0; }
  std::vector<TextReplacement> on_decoding;  // of each piece
  bool decodes_bytes = false;                // "<0xE2>" is a byte when decoding
  // The content of these tokens; nullopt: Gemma's name if there is such a piece.
  std::optional<std::string> bos, eos, pad;
};

// Limits on what is read from outside. Gemma 3 has 262,144 pieces, 514,906 merges and 33 MB.
constexpr int64_t kTokenizerFileBytesMax = int64_t{256} << 20;
constexpr int64_t kTokenizerPiecesMax = 2'000'000;
constexpr int64_t kTokenizerMergesMax = 16'000'000;
constexpr int64_t kTokenizerPieceBytesMax = 1024;

}  // namespace fpo::train
