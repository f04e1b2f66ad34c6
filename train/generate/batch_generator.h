#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "train/decode/decoder.h"
#include "train/generate/answer_random.h"
#include "train/generate/token_choice.h"

namespace fpo::train {

// One answer to generate.
struct AnswerRequest {
  int64_t index = 0;             // the caller's number
  std::vector<int32_t> prompt;   // at least one id
  std::vector<int32_t> stops;    // ids that end the answer
  int64_t max_new_tokens = 256;  // at least one
  Sampling sampling;
  AnswerRandom random{0, 0};
  // What was read before: of it, the beginning that it shares with the prompt is not read again.
  std::optional<CachedSequence> sequence = std::nullopt;
};

struct GeneratedAnswer {
  int64_t index = 0;
  std::vector<int32_t> ids;   // without the one that ended it
  bool stopped = false;       // by one of its stops; else by max_new_tokens
  AnswerRandom random{0, 0};  // behind the numbers drawn
  CachedSequence sequence;
};

// Where requests come from and answers go.
class AnswerQueue {
 public:
  virtual ~AnswerQueue() = default;
  virtual std::optional<AnswerRequest> Next() = 0;
  // Called with every id of an answer but the one that ends it.
  virtual void OnToken(int64_t /*index*/, int32_t /*id*/) {}
  // Takes an answer; may return a request that takes its place in the batch, as the next turn of a
  // conversation does.
  virtual absl::StatusOr<std::optional<AnswerRequest>> Done(GeneratedAnswer answer) = 0;
  // Asked between steps; true: no more is generated, and Interrupted gets the answers in progress.
  virtual bool ShouldStop() { return false; }
  virtual void Interrupted(GeneratedAnswer /*answer*/) {}
};

struct BatchOptions {
  int64_t batch = 16;         // answers in progress at a time
  int64_t step_tokens = 128;  // prompt ids read in one step, over all answers
  int64_t choices = 0;        // only ids below it are chosen; 0: all
};

// Generates until the queue is empty or wants to stop. An answer that ends leaves the batch, and
// the next one takes its place. On a CPU an answer does not depend on those generated beside it
// (decoder.h). The errors of Done; kNotFinite when logits are not finite, naming the answer.
absl::Status GenerateAnswers(Decoder& decoder, const BatchOptions& options, AnswerQueue& queue);

}  // namespace fpo::train
