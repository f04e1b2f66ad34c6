#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/hash.h"

namespace fpo::train {

// One admitted pair as token ids. `rejected` is empty for SFT and plain text. An example of kto has
// a label, which is of `chosen`; its `rejected` is a mismatched response, one to another prompt.
struct TokenPair {
  std::vector<int32_t> prompt;  // BOS first (unless the data came as ids without one)
  std::vector<int32_t> chosen;  // terminator last, unless cut; may have context ids
  std::vector<int32_t> rejected;
  int64_t row = 0;     // row index in the input
  std::string row_id;  // the row's own id, or empty
  std::optional<bool> label = {};
};

// The same as views into a mapped token file, valid as long as the TokenFile.
struct TokenPairView {
  absl::Span<const int32_t> prompt, chosen, rejected;
  int64_t row = 0;
  bool desirable = true;  // the label, where the file has labels
};

// Collects pairs and writes the token file (a safetensors file: ids, starts and lengths, rows). Not
// thread-safe.
class TokenFileWriter {
 public:
  void Add(const TokenPair& pair);  // with a label all of them, or none
  // Of labelled pairs: gives each the response of another one (MismatchedExamples) as its rejected
  // side, cut so that prompt and response have at most max_length tokens.
  absl::Status AddMismatchedResponses(int64_t max_length);
  int64_t size() const { return static_cast<int64_t>(row_.size()); }
  // Atomic. `metadata` is stored as given (template, tokenizer digest, limits ...).
  absl::Status Write(const std::string& path,
                     const std::map<std::string, std::string>& metadata) const;

 private:
  std::vector<int32_t> ids_;
  std::vector<int64_t> prompt_start_, prompt_length_, chosen_start_, chosen_length_;
  std::vector<int64_t> rejected_start_, rejected_length_, row_, row_id_end_;
  std::vector<int64_t> PromptNumbers() const;  // equal where prompts are

  std::string row_ids_;
  std::vector<uint8_t> label_;
};

// A memory-mapped token file; every range is checked when it is opened. Thread-safe.
class TokenFile {
 public:
  // NotFound, DataLoss (not a token file, or ranges outside it: names the pair).
  static absl::StatusOr<TokenFile> Open(const std::string& path);
  ~TokenFile();
  TokenFile(TokenFile&&) noexcept;
  TokenFile& operator=(TokenFile&&) noexcept;

  int64_t size() const;
  TokenPairView pair(int64_t index) const;  // index in [0, size)
  std::string row_id(int64_t index) const;
  bool has_rejected() const;  // every pair has a rejected side
  bool has_labels() const;
  int64_t tokens() const;                        // ids stored
  int32_t greatest_id() const;                   // -1 when there is none
  int64_t LongestSequence(int64_t index) const;  // prompt + the longer response
  int64_t PackedTokens(int64_t index) const;     // prompt + both responses
  const std::map<std::string, std::string>& metadata() const;
  Digest digest() const;  // SHA-256 of ids, ranges and rows; not of metadata

 private:
  struct State;
  explicit TokenFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo::train
