#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/generate/batch_generator.h"
#include "train/generate/model_for_generation.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// A conversation with a model. What the model has read stays in memory: a question costs its own
// tokens, not those of the conversation before it. Not thread-safe.
class ChatSession {
 public:
  struct Options {
    std::string system;  // "": no system message
    int64_t seed = 42;
    int64_t context = 8192;  // tokens of the whole conversation
    int64_t max_new_tokens = 1024;
    Sampling sampling;
  };
  // `model` has its weights; not owned.
  ChatSession(GenerationModel& model, Options options);

  struct Reply {
    std::string text;
    bool stopped = false;      // by itself; else cut or interrupted
    bool interrupted = false;  // by should_stop
    int64_t tokens = 0;
    int64_t read = 0;  // prompt tokens that were read for it; the others were known
  };
  struct Callbacks {
    std::function<void(const std::string& text)> on_text = [](const std::string&) {};
    std::function<bool()> should_stop = [] { return false; };
  };
  // InvalidArgument: the template refuses the conversation, or the context has no room for an
  // answer; the question is then forgotten.
  absl::StatusOr<Reply> Ask(const std::string& question, const Callbacks& callbacks);

  void Reset() { messages_.clear(); }        // keeps the system message
  void SetSystem(const std::string& text) {  // and begins anew
    options_.system = text;
    messages_.clear();
  }

 private:
  class Turn;
  absl::StatusOr<AnswerRequest> Request();

  GenerationModel& model_;
  Options options_;
  std::vector<Message> messages_;  // without the system message
  std::optional<CachedSequence> sequence_;
  uint64_t asked_ = 0;
};

}  // namespace fpo::train
