#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace fpo::train {

struct InitModelOptions {
  std::string config;  // a Hugging Face config.json
  // A tokenizer.json or tokenizer.model with as many ids as the config's vocab_size; empty: the
  // folder has none, and its data must be rows of ids.
  std::string tokenizer;
  uint64_t seed = 42;
  std::string dtype = "float32";
  std::string out;  // the folder to create; must be missing or empty
};

// `fpo-train init-model`: a Hugging Face folder with freshly initialised weights.
absl::Status InitModel(const InitModelOptions& options);

}  // namespace fpo::train
