#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/job/job_config.h"
#include "train/generate/token_choice.h"
#include "train/judge/calibrate_judge.h"
#include "train/judge/judge_options.h"
#include "train/loop/init_model.h"
#include "train/reference/score_data.h"

namespace fpo::train {

// The parsed command line of fpo-train.
struct Flags {
  std::string command;  // one of kSubcommands in flags.cc

  std::string device = "auto";   // auto | cpu | cuda
  int threads = 0;               // 0: LibTorch's own choice, one a core
  bool plain = false;            // no FastPaths (train/ops/fast_paths.h)
  bool fused_attention = false;  // FastPaths::fused_attention

  std::string job;       // job file, YAML or JSON
  std::string prepared;  // folder of 'prepare'
  std::string out;
  std::string model;  // evaluate, features, score, sae, generate, chat, export
  std::string reference = "auto";
  bool resume = false;
  std::optional<int64_t> max_steps;
  bool measure = false;  // run
  bool parquet = false;  // run, evaluate, inspect-data: pair by pair as Parquet too
  bool serve = false;    // score: answer the agent's commands
  std::string path;      // inspect, export
  bool merge = false;
  bool devices = false;       // inspect
  bool json = false;          // inspect, prepare --check, plan
  bool check = false;         // prepare: look at the first rows, write nothing
  int64_t plan_seconds = 10;  // plan

  ScoreDataOptions score;  // score by hand
  InitModelOptions init;
  GenerateSection generate;            // generate and chat by hand
  std::string template_name = "auto";  // the same
  std::string dtype = "float32";       // the same
  std::string name;                    // generate: of the model in the answers
  std::string system;                  // chat
  std::optional<Sampling> sampling;    // chat: when one of its flags is given
  int64_t context = 8192;              // chat
  int64_t seed = 42;                   // generate and chat by hand
  JudgeOptions judge;                  // judge
  CalibrateOptions calibrate;          // calibrate
  SaeTrainingSection sae_training;     // sae by hand
  std::optional<int64_t> layer;        // score and sae by hand
  std::string site;                    // score; empty: from the file
  std::string sae_file;
  int64_t max_pairs = 0;
  std::string explanations;                           // features
  std::optional<int64_t> top, spans, pairs, minutes;  // features; absent: the job's

  int64_t rank = 0;
  int64_t world_size = 1;
  std::string rendezvous;  // host:port of rank 0's store
  int64_t rank_timeout_seconds = 600;

  std::vector<std::string> failpoints;  // of tests: NAME=ACTION[@N]

  // Started by the agent, which sets FPO_ATTEMPT: events go to descriptor 3, commands come from 4.
  bool supervised = false;
  std::string digest_folder;  // of this user, see DigestCache; empty without a home
  std::string attempt;        // the service's "job/attempt/epoch", from the same variable
};

struct CommandLine {
  std::optional<Flags> flags;  // absent: help, version or a usage error, already printed
  int exit_code = 0;
};

CommandLine ParseFlags(int argc, char** argv);

}  // namespace fpo::train
