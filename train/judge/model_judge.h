#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "train/verdicts/judge.h"
#include "train/verdicts/judge_prompt.h"

namespace fpo::train {

struct ModelJudgeOptions {
  std::string model;  // Hugging Face folder of a Gemma
  std::string dtype = "float32";
  std::string template_name = "auto";
  at::Device device = at::kCPU;
  JudgePrompt prompt;
  int64_t max_prompt_length = 8192;  // tokens; a longer comparison is an error
};

// A judge of this machine: reads the instructions and both answers, and weighs the two verdict
// tokens by their probabilities at the next place. A verdict may be written with or without a space
// before it; both count. Weights are loaded when the first comparison is judged. The errors of
// GenerationModel; InvalidArgument for another form than kWinner, when a verdict token is more than
// one token of this model, and from JudgeAll, before a weight is read, for a comparison that the
// template refuses or that is too long. `note` is told what the user should know.
absl::StatusOr<std::unique_ptr<Judge>> OpenModelJudge(
    const ModelJudgeOptions& options, const std::function<void(const std::string&)>& note);

}  // namespace fpo::train
