#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fpo {

// kind: judge compares the answers of two files, or rates those of one. The judge is model.path, or
// a model behind `url`.
struct JudgeSection {
  std::string kind = "pairwise";  // pairwise | grades | rating
  std::string outputs;            // answers of the model
  std::string baseline;           // answers of what it is compared with
  std::string questions;          // of rating: MT-Bench's question.jsonl
  std::string references;         // of rating: right answers to some of them; empty: none
  std::string url;                // of a server with OpenAI's chat completions; empty: model.path
  std::string model;              // the judge's name there
  std::string key_file;           // for the server, on the worker
  std::string ca_file;            // PEM; empty: the system's authorities
  std::string known_as;           // stands for url in what verdicts are kept under
  std::string prompt;             // file with the judge's instructions; empty: the project's own
  std::string verdicts = "A,B";   // what it is told to answer
  std::string store;              // folder of verdicts; empty: OUTPUT/verdicts
  std::string order = "both";     // both | baseline_first | model_first
  std::string length_control;     // AlpacaEval's df_gamed.csv; empty: no length control
  int64_t parallel = 4;
  double requests_per_minute = 0;  // 0: no limit
  int64_t retries = 8;
  int64_t max_answer_tokens = 1;  // 1: weighed by log-probabilities
  int64_t max_prompt_length = 8192;
  std::optional<int64_t> max_pairs;
  double price_in = 0;  // of a million tokens
  double price_out = 0;
};

}  // namespace fpo
