#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/data/admission_report.h"
#include "train/data/chat_template.h"
#include "train/data/preference_row.h"
#include "train/data/prompt_cut.h"
#include "train/data/token_file.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

struct AdmissionLimits {
  int64_t max_length = 1024;  // prompt + response
  int64_t max_prompt_length = 512;
  std::optional<int64_t> max_pairs;
  // SFT: ignores the rejected side; every assistant turn of a conversation is an example.
  bool chosen_only = false;
  bool pairs_required = true;  // a row without a rejected side is dropped
};

// A row before it is counted: tokens within the limits, or the reason it is dropped.
struct AdmissionCandidate {
  std::string drop_reason;  // empty: `pair` is valid
  TokenPair pair;
  bool turns = false;        // rendered with the turns of a chat template
  bool unseparated = false;  // no separator between prompt and response
  int64_t uncut = 0;         // tokens of prompt and longer response before the limits
  bool moved = false;        // a merged token moved the boundary into the prompt
  bool cut_prompt = false, cut_chosen = false, cut_rejected = false;
  bool equal_scores = false;
};

// Turns rows into token pairs and accounts for what was dropped or cut.
class Admission {
 public:
  Admission(const Tokenizer& tokenizer, const ChatTemplate& chat_template, AdmissionLimits limits);
  ~Admission();

  // The expensive half: template, tokens, limits. One candidate per row, several for an SFT
  // conversation. Thread-safe.
  absl::StatusOr<std::vector<AdmissionCandidate>> Encode(const PreferenceRow& row) const;
  // The counting half, called in row order. Returns the admitted pairs. Not thread-safe.
  std::vector<TokenPair> Decide(const PreferenceRow& row,
                                std::vector<AdmissionCandidate> candidates);
  // Encode and Settle in one call.
  absl::StatusOr<std::vector<TokenPair>> Admit(const PreferenceRow& row);

  bool full() const;  // max_pairs reached
  // Pairs that may still be admitted; a number beyond any data without max_pairs.
  int64_t room() const;
  AdmissionReport Report() const;  // the dataset fills `rows` and `malformed`

 private:
  struct Account;
  absl::StatusOr<AdmissionCandidate> EncodeOne(const PreferenceRow& row) const;
  absl::Status EncodeText(const PreferenceRow& row, AdmissionCandidate* out) const;
  void Limit(AdmissionCandidate* out) const;
  void Drop(const PreferenceRow& row, const std::string& reason);
  void Count(const PreferenceRow& row, const AdmissionCandidate& candidate);
  std::string TemplateReason() const;
  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  const AdmissionLimits limits_;
  const TurnMarks marks_;
  const std::optional<int32_t> end_of_turn_;
  std::unique_ptr<Account> account_;
};

}  // namespace fpo::train
