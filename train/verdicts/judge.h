#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "train/verdicts/judge_prompt.h"
#include "train/verdicts/verdict.h"

namespace fpo::train {

// Takes verdicts as they come.
class VerdictSink {
 public:
  virtual ~VerdictSink() = default;
  // The verdict on conversations[index]. An error ends the judging.
  virtual absl::Status Done(size_t index, Verdict verdict) = 0;
  // For the user: a wait, a server that answers with errors.
  virtual void Note(const std::string& message) = 0;
  // True: nothing more is begun; verdicts in progress still come.
  virtual bool ShouldStop() { return false; }
};

// Who says which of two answers is better, or how good one is: a server, or a model of this
// machine.
class Judge {
 public:
  virtual ~Judge() = default;
  // Canonical JSON of everything that decides what it says (verdict.h).
  virtual const std::string& identity() const = 0;
  // Its name in results.
  virtual const std::string& name() const = 0;
  // Judges all of them, in any order, and returns when every verdict was taken, or with OK when the
  // sink wants to stop. After an error, those that were taken stay. Each conversation is the
  // judge's own prompt (FillPrompt), or one whose text the verdict's key holds.
  virtual absl::Status JudgeAll(const std::vector<JudgeConversation>& conversations,
                                VerdictSink& sink) = 0;
};

}  // namespace fpo::train
