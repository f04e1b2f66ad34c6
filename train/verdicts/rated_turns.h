#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo::train {

// One answer of a conversation that a judge rates: MT-Bench's questions have two turns, and the
// second answer is rated in the light of the first.
struct RatedTurn {
  std::string question;  // its id in the files
  std::string category;  // "": the questions have none
  int turn = 1;          // from 1
  // Those of this turn and of the turns before it, as many each; references may be empty.
  std::vector<std::string> questions, answers, references;
};

struct RatedTurns {
  std::string model;               // as its rows say
  std::vector<RatedTurn> turns;    // in the order of the questions, turn by turn
  std::vector<std::string> notes;  // for the user
};

struct RatedFiles {
  std::string answers;     // FastChat's model_answer: question_id, model_id, choices[0].turns
  std::string questions;   // FastChat's question.jsonl: question_id, category, turns
  std::string references;  // answers to some of them, the same form; empty: none
};

// Reads the first `questions_max` (0: all) questions that have an answer; .json or .jsonl, also .gz
// or .zst. The errors of RowSource; InvalidArgument names file and line of a row that lacks
// something, of an id that a file has twice or that is no question's, of answers or references with
// fewer turns than their question. Questions without an answer are counted in a note, and so are
// those of math, reasoning and coding without a reference, which MT-Bench has for them.
absl::StatusOr<RatedTurns> ReadRatedTurns(const RatedFiles& files, int64_t questions_max);

}  // namespace fpo::train
