#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/hash.h"

namespace fpo::train {

struct TokenizerSpec;

// A tokenizer of Gemma's kind, from tokenizer.json or tokenizer.model, or of Llama 3's and Qwen's,
// from tokenizer.json; the ids are those of Hugging Face's `tokenizers` library. Thread-safe.
//
// Encode turns every added token in the text ("<bos>", "<unk>", "<end_of_turn>", newline runs) into
// its id, except where the caller says that it is literal: a chat template's caller does so for
// turn marks inside of messages.
class Tokenizer {
 public:
  // Reads the folder's files (tokenizer_folder.h has the rules and the errors).
  static absl::StatusOr<Tokenizer> Open(const std::string& model_folder);
  static absl::StatusOr<Tokenizer> OpenFile(const std::string& file);
  // For a folder without a tokenizer, whose rows must be ids already: Encode and Decode return
  // `why`, no piece is known, and ids below `id_count` are valid.
  struct Absence {
    absl::Status why;
    int32_t id_count = 0, bos = -1, eos = -1;
  };
  static Tokenizer Absent(Absence absence);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Ids of the text as it is: no BOS, EOS or leading space is added. What stands at an offset in
  // `literal` (ascending, in bytes) is no added token, as if it were spelled. InvalidArgument above
  // 64 MiB and for text that is not UTF-8.
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              absl::Span<const size_t> literal = {}) const;
  // The text of the ids, added tokens written out by name. Bytes that are not UTF-8 become U+FFFD.
  // InvalidArgument for an id outside the vocabulary.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids) const;

  // The id of exactly this text, a piece or an added token, e.g. "<start_of_turn>". nullopt: none.
  std::optional<int32_t> IdOf(absl::string_view piece) const;
  // id in [0, size). Of a byte-level encoding in its spelling, "Ġthe".
  const std::string& PieceOf(int32_t id) const;
  bool IsAdded(int32_t id) const;    // an added token, as "<bos>" or a newline run
  bool IsSpecial(int32_t id) const;  // one that is no text: "<bos>", not a newline run
  int32_t size() const;              // number of ids: pieces and added tokens
  int32_t pad() const;               // -1: none
  int32_t bos() const;               // -1: texts begin without one, as Qwen's
  int32_t eos() const;

  bool byte_level() const;                           // pieces may be parts of characters
  absl::Status present() const;                      // OK, or why there is no tokenizer
  const std::string& file() const;                   // the one in use; "" when absent
  const std::vector<std::string>& warnings() const;  // about the files, for the user
  // SHA-256 of everything that determines ids: equal for files whose contents tokenise alike.
  Digest digest() const;

  // Ids at or above it are rejected in rows: the size, or the number of embedding rows if that is
  // smaller.
  int32_t id_limit() const;
  // InvalidArgument, naming both numbers, when the tokenizer has more ids than the embedding has
  // rows. Gemma 3's text models are exempt: their <image_soft_token> is the first id past the end.
  absl::Status LimitTo(int64_t embedding_rows);
  // Rows that LimitTo was told of beyond the ids: no text reaches them.
  int64_t spare_rows() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  static absl::StatusOr<Tokenizer> Make(TokenizerSpec spec, std::vector<std::string> warnings);
  absl::Status CheckId(int32_t id) const;
  absl::StatusOr<std::string> DecodeBytes(absl::Span<const int32_t> ids) const;
  std::unique_ptr<State> state_;
};

}  // namespace fpo::train
