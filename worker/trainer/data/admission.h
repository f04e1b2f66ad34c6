#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/trainer/data/admission_report.h"
#include "worker/trainer/data/chat_template.h"
#include "worker/trainer/data/preference_row.h"
#include "worker/trainer/data/token_file.h"
#include "worker/trainer/data/tokenizer.h"

namespace fpo::train {

struct AdmissionLimits {
  int64_t max_length = 1024;  // prompt + response
  int64_t max_prompt_length = 512;
  std::optional<int64_t> max_pairs;
  // SFT: a rejected side is ignored, every assistant turn of a conversation is an example
  bool chosen_only = false;
  bool pairs_required = true;  // a row without a rejected side is dropped
};

// Turns rows into token pairs and keeps account of what was dropped or cut. Not thread-safe.
class Admission {
 public:
  Admission(const Tokenizer& tokenizer, const ChatTemplate& chat_template, AdmissionLimits limits);
  ~Admission();

  // The pairs of this row: none when dropped, several for an SFT conversation.
  absl::StatusOr<std::vector<TokenPair>> Admit(const PreferenceRow& row);

  bool full() const;               // max_pairs reached
  AdmissionReport Report() const;  // rows and malformed are the dataset's to fill

 private:
  struct Account;
  struct Encoded;
  absl::StatusOr<std::optional<TokenPair>> AdmitOne(const PreferenceRow& row);
  absl::StatusOr<std::optional<Encoded>> EncodeText(const PreferenceRow& row);
  void Limit(Encoded* pair);
  void Drop(const PreferenceRow& row, const std::string& reason);
  void Count(const Encoded& pair);
  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  AdmissionLimits limits_;
  std::unique_ptr<Account> account_;
};

}  // namespace fpo::train
