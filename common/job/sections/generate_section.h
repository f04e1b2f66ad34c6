#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fpo {

// kind: generate writes an answer to each prompt of a file.
struct GenerateSection {
  std::string prompts;           // .jsonl, .ndjson or .json, also .gz or .zst
  std::string format = "jsonl";  // alpaca_eval | arena_hard | mt_bench | jsonl
  int64_t max_new_tokens = 1024;
  double temperature = 0;  // 0: the most likely token
  int64_t top_k = 0;       // 0: all
  double top_p = 1;
  int64_t batch = 16;  // answers in progress at a time
  int64_t max_prompt_length = 8192;
  std::optional<int64_t> max_prompts;
};

}  // namespace fpo
