#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/command_reader.h"
#include "train/events/event_sink.h"

namespace fpo::train {

struct GenerateOptions {
  std::string model;  // Hugging Face folder
  std::string dtype = "float32";
  std::string template_name = "auto";
  std::string out;
  std::string name;  // of the model in the answers; empty: its folder's name
  int64_t seed = 42;
  GenerateSection section;
  at::Device device = at::kCPU;
  CommandReader* commands = nullptr;  // of an agent; not owned
};

// `fpo-train generate`: answers every prompt of a file that has no answer in `out` yet. On a CPU
// every answer depends on the model, its prompt, its index, the seed and the sampling only. Errors
// name the prompt that cannot be rendered, has no token, or is too long; kStopped when a signal or
// the agent asks to stop: the answers that are complete stay, and the next call goes on from there.
absl::Status GenerateFile(const GenerateOptions& options, EventSink& events);

}  // namespace fpo::train
