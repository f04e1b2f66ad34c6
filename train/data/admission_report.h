#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "train/data/pair_identity.h"

namespace fpo::train {

// Lengths, in tokens, of everything admitted.
struct LengthQuantiles {
  int64_t minimum = 0, p10 = 0, p50 = 0, p90 = 0, p99 = 0, maximum = 0;
  double mean = 0;
};
LengthQuantiles QuantilesOf(std::vector<int64_t> lengths);

// What became of the rows of one input (train or eval): the numbers of admission.json.
struct AdmissionReport {
  // gemma | halo | own | a file's name | none | gemma and none: what was applied
  std::string template_name;
  std::string template_reason;   // and why
  bool model_has_turns = false;  // the model's folder has a chat template with turns
  int64_t max_length = 0, max_prompt_length = 0;  // the limits
  int64_t rows = 0;
  int64_t malformed = 0;
  // one per row, except that every assistant turn of an SFT conversation is one
  int64_t examples = 0;
  int64_t admitted = 0;                    // pairs (or SFT examples) written
  int64_t desirable = 0, undesirable = 0;  // of kto's examples
  // empty_response | identical_pair | bad_roles | no_shared_prompt | ...
  std::map<std::string, int64_t> dropped;
  bool stopped_at_max_pairs = false;  // the rest of the input was not read
  int64_t cut_prompts = 0, cut_chosen = 0, cut_rejected = 0;
  // pairs whose prompt is shorter than the prompt alone, because of a merged token
  int64_t boundary_moves = 0;
  std::map<std::string, int64_t> forms;  // admitted, by form: strings | messages | ...
  int64_t texts_without_turns = 0;       // admitted as plain text: not ids
  int64_t unseparated = 0;  // of these, strings without white space between prompt and response
  int64_t doubled_bos = 0, missing_bos = 0;
  // responses that do not end with their terminator: cut, or given as ids
  int64_t missing_terminators = 0;
  int64_t equal_scores = 0;
  int64_t repeated_prompts = 0;  // strings whose responses begin with the prompt
  int64_t lower_scores = 0;      // whose chosen response has the lower score
  int64_t literal_marks = 0;     // with turn marks inside a message, which are spelled out
  int64_t system_folded = 0;     // with a system message that the model's own template refuses
  int64_t off_prompt = 0;        // whose prompt is not what add_generation_prompt gives
  int64_t duplicates = 0;        // pairs whose tokens were seen before; kept
  SharedPairs shared;            // with the training data; of evaluation data only
  int64_t shared_eval_row = 0, shared_train_row = 0;  // rows of the first such pair, from 0
  int64_t tokens = 0;                                 // over prompts and responses
  double response_share = 0;                          // response tokens / all tokens
  LengthQuantiles prompt, chosen, rejected, total;
  LengthQuantiles uncut;  // total, before anything was cut
  std::vector<std::string> malformed_examples;
  std::vector<std::string> dropped_examples;  // "file:line: reason", at most 20
};

// Of one of several sets of data.eval.
struct NamedReport {
  std::string name;
  AdmissionReport report;
};

// {"train": {...}, "eval": {...}} as written to admission.json. `eval` may be null. `more` are
// "eval.NAME".
std::string AdmissionJson(const AdmissionReport& train, const AdmissionReport* eval,
                          const std::vector<NamedReport>& more = {});

}  // namespace fpo::train
