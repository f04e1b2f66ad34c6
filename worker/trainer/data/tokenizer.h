#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace fpo::train {

// Gemma's SentencePiece tokenizer. Thread-safe.
//
// Like Hugging Face's tokenizer, Encode turns every special piece that stands in the text ("<bos>",
// "<end_of_turn>", newline runs) into its one id, no matter whether a template or a user wrote it:
// a message that contains "<end_of_turn>" ends its turn.
//
// Runs of more than 31 spaces are cut as SentencePiece does (31 first); Hugging Face's fast
// tokenizer halves them. No other difference is known.
class Tokenizer {
 public:
  // Reads FOLDER/tokenizer.model. NotFound names the folder and the file; DataLoss when it is not a
  // SentencePiece model.
  static absl::StatusOr<Tokenizer> Open(const std::string& model_folder);
  static absl::StatusOr<Tokenizer> OpenFile(const std::string& model_file);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // Ids of the text as it stands: no BOS, no EOS added, no space put in front. InvalidArgument
  // above 64 MiB.
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text) const;
  // The text of the ids; control pieces are written out by name. InvalidArgument for an id outside
  // the vocabulary.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids) const;

  // Exact piece, e.g. "<start_of_turn>". nullopt when the vocabulary has no such piece.
  std::optional<int32_t> IdOf(absl::string_view piece) const;
  const std::string& PieceOf(int32_t id) const;  // id in [0, size)
  int32_t size() const;
  int32_t pad() const;
  int32_t bos() const;
  int32_t eos() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo::train
