#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "common/job/job_config.h"
#include "train/events/command_reader.h"
#include "train/verdicts/endpoint_judge.h"

namespace fpo::train {

struct JudgeOptions {
  std::string kind = "pairwise";      // pairwise | grades | rating (rate_answers.h)
  std::string outputs;                // answers of the model
  std::string baseline;               // answers of what it is compared with
  std::string pairs;                  // instead of both: annotations, whose pairs are judged anew
  std::string questions, references;  // of rating: MT-Bench's; references may be empty
  std::string out;                    // annotations; beside them OUT.summary.json
  std::string judge;                  // a URL, or a model folder
  EndpointOptions endpoint;           // of a URL; its prompt is read from prompt_file
  std::string prompt_file;            // empty: the project's own instructions
  std::string tokens = "A,B";         // the two verdicts that prompt_file asks for
  std::string verdicts;               // folder of the store
  std::string order = "both";         // both | baseline_first | model_first
  int64_t pairs_max = 0;              // 0: all
  int64_t max_prompt_length = 8192;   // of a model folder, in tokens
  std::string dtype = "float32";
  std::string template_name = "auto";
  at::Device device = at::kCPU;
  std::string length_control;  // AlpacaEval's df_gamed.csv; empty: no length-controlled win rate
  double price_in = 0, price_out = 0;  // a million tokens read and written
  int64_t bootstrap = 1000;            // rounds
  int64_t seed = 42;
  CommandReader* commands = nullptr;  // of an agent; not owned
};

// What a job of kind judge asks for, without out, device and commands. Its verdicts are kept in its
// output folder unless it names a store: another worker may go on with it.
JudgeOptions JudgeOptionsOf(const JobConfig& job);

// Whether --judge names a server.
bool IsUrl(const std::string& judge);

// What so many tokens cost, at the options' prices.
double CostOf(const JudgeOptions& options, int64_t prompt_tokens, int64_t answer_tokens);

}  // namespace fpo::train
