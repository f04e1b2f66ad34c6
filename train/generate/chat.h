#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "train/events/event_sink.h"
#include "train/generate/model_for_generation.h"

namespace fpo::train {

struct ChatOptions {
  GenerationModel::Source model;
  std::string system;
  int64_t seed = 42;
  int64_t context = 8192;
  int64_t max_new_tokens = 1024;
  std::optional<Sampling> sampling;  // default: what the model's folder asks for, else greedy
};

// `fpo-train chat`: questions from standard input, answers to standard output, until /quit or the
// end of the input. On a terminal answers appear as they are generated, and SIGINT ends an answer.
// Without one, each line is a question and each answer one line, in which a line feed stands as \n
// and a backslash as \\. InvalidArgument for a model without a chat template.
absl::Status RunChat(const ChatOptions& options, EventSink& events);

}  // namespace fpo::train
