#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/features/features_section.h"
#include "common/job/method_table.h"
#include "common/job/sections/adapter_section.h"
#include "common/job/sections/constraint_section.h"
#include "common/job/sections/evaluate_section.h"
#include "common/job/sections/generate_section.h"
#include "common/job/sections/judge_section.h"
#include "common/job/sections/parallel_section.h"
#include "common/job/sections/sae_training_section.h"

namespace fpo {

// The job file as plain values, one struct per section of job.yaml, defaults filled in. Words
// ("fpo", "cached") stay strings: the reader has checked them against the field table
// (job_fields.h), the only place that knows names and ranges.

struct ModelSection {
  std::string path;                // Hugging Face directory
  std::string dtype = "bfloat16";  // bfloat16 | float32
};

struct ReferenceSection {
  std::string source;            // cached | online | none; chosen by the method when not given
  std::string path;              // default: model.path
  std::string features = "all";  // all | top
  int64_t features_top = 50;
  std::string values = "float32";  // float32 | float16
  std::string share = "public";    // public | private | group:NAME
  int64_t probe_pairs = 4;
};

struct SaeSection {
  std::string path;
  std::optional<int64_t> layer;
  std::string site;                // resid_post | mlp_out | attn_z; empty: read from the file
  std::string normalization = "";  // folded; empty: as the file says
};

struct DataSection {
  std::vector<std::string> train;
  // Of the only set, or of the first of several, which then have names.
  std::vector<std::string> eval;
  std::string eval_name;                  // empty: the only set
  std::vector<EvalSetSection> more_eval;  // the other sets
  std::string format = "auto";            // auto | preference | messages | transcript | ids
  // key "template": auto | gemma | halo | none | the path of a FILE.jinja
  std::string template_name = "auto";
  std::string train_on = "all_assistant_turns";  // all_assistant_turns | last_turn | first_turn
  // A row's field under its usual name, and the file's name for it: {"prompt", "question"}.
  std::vector<std::pair<std::string, std::string>> columns;
  int64_t max_length = 1024;
  int64_t max_prompt_length = 512;
  std::optional<int64_t> max_pairs;
  double max_bad_fraction = 0.01;
  bool shuffle = true;
};

struct OptimizerSection {
  std::string name = "adam";  // adam | adamw | rmsprop
  double lr = 5e-7;
  std::vector<double> betas = {0.9, 0.999};
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
};

struct ScheduleSection {
  std::string name = "constant";  // constant | linear | cosine
  int64_t warmup_steps = 150;
};

struct BatchSection {
  int64_t pairs = 32;  // per optimiser step, over all ranks
  int64_t tokens_per_microbatch = 16384;
};

struct CheckpointSection {
  int64_t every_steps = 200;
  int64_t keep_last = 2;
  int64_t keep_best = 1;
  bool background = true;  // written beside training, from a copy in host memory
};

struct ResourcesSection {
  int64_t slots = 1;
  int64_t min_slots = 0;  // 0: slots
  std::string queue = "default";
  int64_t priority = 500;            // 0-1000, higher first
  std::vector<std::string> require;  // labels that a worker must have, "name=value"
};

struct RetrySection {
  int64_t max_restarts = 3;
  std::string on_oom = "fail";  // fail | retry
};

struct JobConfig {
  std::string name;
  std::string kind = "train";  // train | reference | evaluate | generate | judge | sae
  std::vector<std::pair<std::string, std::string>> labels;
  ModelSection model;
  AdapterSection adapter;
  ReferenceSection reference;
  std::vector<SaeSection> sae;
  SaeTrainingSection sae_training;
  GenerateSection generate;
  JudgeSection judge;
  DataSection data;
  MethodSection method;
  ConstraintSection constraint;
  OptimizerSection optimizer;
  ScheduleSection schedule;
  BatchSection batch;
  int64_t epochs = 1;
  std::optional<int64_t> max_steps;
  int64_t seed = 42;
  ParallelSection parallel;
  bool activation_checkpointing = false;                   // of all layers
  std::optional<int64_t> activation_checkpointing_layers;  // or of the first ones
  CheckpointSection checkpoint;
  EvaluateSection evaluate;
  FeaturesSection features;
  ResourcesSection resources;
  RetrySection retry;
  std::string output;
};

}  // namespace fpo
