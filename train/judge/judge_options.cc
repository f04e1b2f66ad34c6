#include "train/judge/judge_options.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {

JudgeOptions JudgeOptionsOf(const JobConfig& job) {
  const JudgeSection& section = job.judge;
  JudgeOptions options;
  options.kind = section.kind;
  options.outputs = section.outputs;
  options.questions = section.questions;
  options.references = section.references;
  options.baseline = section.baseline;
  options.judge = section.url.empty() ? job.model.path : section.url;
  options.endpoint.key_file = section.key_file;
  options.endpoint.ca_file = section.ca_file;
  options.endpoint.known_as = section.known_as;
  options.endpoint.chat.model = section.model;
  options.endpoint.chat.max_tokens = section.max_answer_tokens;
  options.endpoint.parallel = section.parallel;
  options.endpoint.requests_per_minute = section.requests_per_minute;
  options.endpoint.retries = section.retries;
  options.prompt_file = section.prompt;
  options.tokens = section.verdicts;
  options.verdicts = section.store.empty() ? absl::StrCat(job.output, "/verdicts") : section.store;
  options.order = section.order;
  options.pairs_max = section.max_pairs.value_or(0);
  options.max_prompt_length = section.max_prompt_length;
  options.dtype = job.model.dtype;
  options.template_name = job.data.template_name;
  options.length_control = section.length_control;
  options.price_in = section.price_in;
  options.price_out = section.price_out;
  options.seed = job.seed;
  return options;
}

bool IsUrl(const std::string& judge) { return absl::StrContains(judge, "://"); }

double CostOf(const JudgeOptions& options, int64_t prompt_tokens, int64_t answer_tokens) {
  return (static_cast<double>(prompt_tokens) * options.price_in +
          static_cast<double>(answer_tokens) * options.price_out) /
         1e6;
}

}  // namespace fpo::train
