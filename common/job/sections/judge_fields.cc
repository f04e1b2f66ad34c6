#include "common/job/sections/judge_fields.h"

namespace fpo {

JobEntry JudgeEntry(JudgeSection* s) {
  return {
      JobEntry::Kind::kSection,
      "judge",
      "kind: judge, comparing the answers of two files; model.path is the judge, or url is",
      {{"kind",
        &s->kind,
        "which answer is better, how much (Arena-Hard), or how good one is (MT-Bench)",
        {"pairwise", "grades", "rating"}},
       {"outputs", &s->outputs, "the model's answers: of kind generate, or model_outputs.json"},
       {"baseline", &s->baseline, "answers of what it is compared with, the same forms"},
       {"questions", &s->questions, "of rating: MT-Bench's question.jsonl"},
       {"references", &s->references, "of rating: right answers to some of them, FastChat's form"},
       {"url", &s->url, "a server with OpenAI's chat completions, up to /v1"},
       {"model", &s->model, "with url: the judge's name there"},
       {"key_file", &s->key_file, "with url: file with its key, on the worker, mode 600"},
       {"ca_file", &s->ca_file, "with url: PEM of the authorities that sign its certificate"},
       {"known_as", &s->known_as, "stands for the url in what verdicts are kept under"},
       {"prompt", &s->prompt, "file with the judge's instructions; without it, built-in ones"},
       {"verdicts", &s->verdicts, "with prompt: the two answers that it asks for, with a comma"},
       {"store", &s->store, "folder of verdicts, shared by jobs; without it, verdicts in output"},
       {"order",
        &s->order,
        "of the two answers; one order is half the price",
        {"both", "baseline_first", "model_first"}},
       {"length_control", &s->length_control, "AlpacaEval's df_gamed.csv"},
       {"parallel", &s->parallel, "with url: requests in progress at a time", {}, 1, 256},
       {"requests_per_minute", &s->requests_per_minute, "with url: at most; 0: any", {}, 0, 1e6},
       {"retries", &s->retries, "with url: of one request", {}, 0, 1000},
       {"max_answer_tokens",
        &s->max_answer_tokens,
        "with url; 1: weighed by log-probabilities, more: its words count; of grades and ratings "
        "2048 in place of 1",
        {},
        1,
        1 << 20},
       {"max_prompt_length",
        &s->max_prompt_length,
        "with model.path: tokens of a comparison; a longer one is an error",
        {},
        16,
        1 << 20},
       {"max_pairs", &s->max_pairs, "first N answers; null: all", {}, 1, 1e6},
       {"price_in", &s->price_in, "of a million tokens that the judge reads", {}, 0, 1e9},
       {"price_out", &s->price_out, "of a million tokens that it writes", {}, 0, 1e9}}};
}

}  // namespace fpo
