#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fpo::ctl {

// What data files show without being read in full.
struct DataFacts {
  int64_t rows = 0;            // of all files; 0: not counted (packed, or large)
  bool plain_strings = false;  // the first row has a prompt and answers as plain strings
  std::string held_out;        // a file next to the first one that looks like its test split, or ""
};

// NotFound or InvalidArgument, naming the file, when one is not a data file.
absl::Status CheckDataFile(const std::string& path);

// For existing files; only uncompressed .jsonl are opened.
DataFacts ReadDataFacts(const std::vector<std::string>& files);

// Which benchmark's file of prompts this is: alpaca_eval, arena_hard or mt_bench, by the fields of
// its first row, and why; "" for any other file and for a packed one.
struct PromptFacts {
  std::string format;
  std::string reason;
};
PromptFacts ReadPromptFacts(const std::string& file);

}  // namespace fpo::ctl
