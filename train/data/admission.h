#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "train/chat/chat_template.h"
#include "train/data/admission_report.h"
#include "train/data/prompt_cut.h"
#include "train/data/token_file.h"
#include "train/rows/preference_row.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

struct AdmissionLimits {
  int64_t max_length = 1024;  // prompt + response
  int64_t max_prompt_length = 512;
  std::optional<int64_t> max_pairs;
  // SFT: ignores the rejected side.
  bool chosen_only = false;
  // Which assistant turns of a conversation are examples, and which of a response of several turns
  // are trained on.
  enum class TrainOn { kAllTurns, kLastTurn, kFirstTurn };
  TrainOn train_on = TrainOn::kAllTurns;
  bool pairs_required = true;  // a row without a rejected side is dropped
  // KTO: each response with its label is an example (LabelledExamples).
  bool labelled = false;
};

// A row before it is counted: tokens within the limits, or the reason it is dropped.
struct AdmissionCandidate {
  std::string drop_reason;  // empty: `pair` is valid
  std::string drop_detail;  // the chat template's own words
  TokenPair pair;
  bool turns = false;          // rendered with the turns of a chat template
  bool literal_marks = false;  // a message contains turn marks, which are spelled out
  bool system_folded = false, off_prompt = false;  // see RenderedRow
  bool unseparated = false;                        // no separator between prompt and response
  int64_t uncut = 0;   // tokens of prompt and longer response before the limits
  bool moved = false;  // a merged token moved the boundary into the prompt
  bool cut_prompt = false, cut_chosen = false, cut_rejected = false;
  bool equal_scores = false, lower_score = false;
  bool repeats_prompt = false;  // strings: each response begins with the prompt
};

// Turns rows into token pairs and accounts for what was dropped or cut.
class Admission {
 public:
  Admission(const Tokenizer& tokenizer, const ChatTemplate& chat_template, AdmissionLimits limits);
  ~Admission();

  // The examples of a row: itself, or one for each assistant turn of a conversation that is
  // trained on. Thread-safe.
  std::vector<PreferenceRow> Examples(PreferenceRow row) const;
  // What has to be rendered for an example: itself, or each turn of its responses, where one has
  // several. Thread-safe.
  static std::vector<PreferenceRow> Renderings(const PreferenceRow& example);
  // The expensive half: tokens and limits of an example, from its Renderings. Thread-safe.
  absl::StatusOr<AdmissionCandidate> Encode(const PreferenceRow& example,
                                            absl::Span<const RenderedRow> rendered) const;
  // Examples, rendered and encoded one by one. Thread-safe.
  absl::StatusOr<std::vector<AdmissionCandidate>> Encode(const PreferenceRow& row) const;
  // The counting half, called in row order. Returns the admitted pairs. Not thread-safe.
  std::vector<TokenPair> Decide(const PreferenceRow& row,
                                std::vector<AdmissionCandidate> candidates);
  // Encode and Settle in one call.
  absl::StatusOr<std::vector<TokenPair>> Admit(const PreferenceRow& row);

  const ChatTemplate& chat_template() const { return template_; }
  bool full() const;  // max_pairs reached
  // Pairs that may still be admitted; a number beyond any data without max_pairs.
  int64_t room() const;
  AdmissionReport Report() const;  // the dataset fills `rows` and `malformed`

 private:
  struct Account;
  absl::Status EncodeRow(const PreferenceRow& example, absl::Span<const RenderedRow> rendered,
                         AdmissionCandidate* out) const;
  absl::Status EncodeText(const PreferenceRow& example, const RenderedRow& text,
                          AdmissionCandidate* out) const;
  void Limit(AdmissionCandidate* out) const;
  void Drop(const PreferenceRow& row, const AdmissionCandidate& candidate);
  std::string TemplateName() const;
  void Count(const PreferenceRow& row, const AdmissionCandidate& candidate);
  std::string TemplateReason() const;
  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  const AdmissionLimits limits_;
  const std::vector<int32_t> newlines_;
  std::unique_ptr<Account> account_;
};

}  // namespace fpo::train
