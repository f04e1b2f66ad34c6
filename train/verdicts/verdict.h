#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::train {

// What a judge is asked: which of two answers to a question is better. The order counts: a judge
// may prefer the answer that it reads first, so a pair is judged in both.
struct Comparison {
  std::string question;
  std::string first;
  std::string second;
};

// What a verdict is known by, 64 hex characters: the SHA-256 of judge, question, first and second
// answer, each preceded by its length. `judge` is the canonical JSON of everything about the judge
// that can change what it says: which model, served by whom, its instructions, how it is asked.
// This is the only definition; names of files, models' names, places in a list and times are no
// part of it.
std::string VerdictKey(absl::string_view judge, const Comparison& comparison);

// What a judge said, once.
struct Verdict {
  // The share of its belief that the first answer is better, 0 to 1; nullopt: it named neither,
  // which is kept too, since asking again costs and would be choosing what to hear.
  std::optional<double> first;
  std::optional<double> rating;  // 1 to 10, where one answer was rated instead
  bool is_weighted = false;      // from log-probabilities; else 0, 0.5 or 1 from its words
  double mass = 0;               // weighted: the probability of both verdict tokens together
  std::string words;             // its answer, at most 4 KiB of it
  int64_t prompt_tokens = 0;     // as the judge counts; 0: it does not say
  int64_t answer_tokens = 0;
  int64_t unix_seconds = 0;  // when
};

// A verdict as one line of JSON without its end, with its key, its judge and a checksum of the
// line.
std::string VerdictLine(absl::string_view key, absl::string_view judge, const Verdict& verdict);

struct StoredVerdict {
  std::string key;
  Verdict verdict;
};
// Reads such a line. DataLoss says what is damaged: no JSON, another checksum, a value out of
// range.
absl::StatusOr<StoredVerdict> ParseVerdictLine(absl::string_view line);

}  // namespace fpo::train
