#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/job/job_config.h"
#include "train/events/command_reader.h"
#include "train/events/event_sink.h"
#include "train/verdicts/endpoint_judge.h"

namespace fpo::train {

struct JudgeOptions {
  std::string outputs;               // answers of the model
  std::string baseline;              // answers of what it is compared with
  std::string pairs;                 // instead of both: annotations, whose pairs are judged anew
  std::string out;                   // annotations; beside them OUT.summary.json
  std::string judge;                 // a URL, or a model folder
  EndpointOptions endpoint;          // of a URL; its prompt is read from prompt_file
  std::string prompt_file;           // empty: the project's own instructions
  std::string tokens = "A,B";        // the two verdicts that prompt_file asks for
  std::string verdicts;              // folder of the store
  std::string order = "both";        // both | baseline_first | model_first
  int64_t pairs_max = 0;             // 0: all
  int64_t max_prompt_length = 8192;  // of a model folder, in tokens
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

// `fpo-train judge`: asks the judge for what the store does not know yet, each pair in both orders,
// and writes what it says. The same call again asks for nothing and writes the same files. Both
// files are written at the end, whole; an `out` that is neither absent nor made by this command is
// refused before anything is asked. Errors of the inputs come first too; kStopped on request, with
// what was judged in the store.
absl::Status JudgeAnswers(const JudgeOptions& options, EventSink& events);

}  // namespace fpo::train
