#include "train/flags_judge.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/flags.h"

namespace fpo::train {
namespace {

constexpr char kJudgeFooter[] =
    R"(Examples
  A judge of this machine, without a network:
    fpo-train judge --outputs mine.json --baseline gpt4.json --judge /models/gemma-2-9b-it \
        --out judged.json
  A server with OpenAI's interface (vLLM, llama.cpp, a provider):
    fpo-train judge --outputs mine.json --baseline gpt4.json --judge https://host/v1 \
        --judge-model qwen3-72b --key-file ~/.keys/host --price-in 0.4 --price-out 1.2 \
        --out judged.json

Every pair is judged in both orders, since judges prefer a place. Verdicts are kept under what they
depend on (judge, instructions, question, both answers): a second run asks for nothing, a stopped
one goes on, and other files with the same answers share them. OUT gets AlpacaEval's annotations,
OUT.summary.json the win rate with its interval.)";

constexpr char kCalibrateFooter[] =
    R"(Examples
  How far does a judge agree with GPT-4's published annotations of a model?
    fpo-train judge --pairs gemma-2b-it.annotations.json.gz --judge /models/gemma-2-9b-it \
        --out calibration.json
    fpo-train calibrate --judged calibration.json --truth gemma-2b-it.annotations.json.gz \
        --out agreement.json
  And what does that make of its win rate of my model, a part of whose pairs people have judged?
    fpo-train judge --outputs mine.json --baseline gpt4.json --judge /models/gemma-2-9b-it \
        --out judged.json
    fpo-train calibrate --judged judged.json --truth votes.json --evaluated judged.json \
        --out corrected.json

A correction is as good as what it takes for granted: the calibration's pairs are a random sample of
the evaluated ones (prediction-powered), or the judge errs alike on both (misclassification).)";

void AddEndpoint(FlagSet app, EndpointOptions* endpoint) {
  app.Add("--judge-model", &endpoint->chat.model, "Of a server: the judge's name there")
      .Type("NAME");
  app.Add("--key-file", &endpoint->key_file,
          "Of a server: the key is the first line of this file, which others may not read")
      .Type("FILE");
  app.Add("--key-over-http", &endpoint->key_over_http,
          "Send the key to another host without encryption too");
  app.Add("--ca-file", &endpoint->ca_file,
          "PEM of the authorities that sign the server's certificate; default: the system's")
      .Type("FILE");
  app.Add("--known-as", &endpoint->known_as,
          "Stands for the server's URL in what verdicts are kept under; so a judge that "
          "moves to another address keeps its verdicts")
      .Type("NAME");
  app.Add("--parallel", &endpoint->parallel, "Of a server: requests in progress at a time")
      .Between(1, 256)
      .ShowDefault();
  app.Add("--requests-per-minute", &endpoint->requests_per_minute,
          "Of a server: at most so many; 0: as many as it takes")
      .BetweenReal(0, 1e6);
  app.Add("--retries", &endpoint->retries,
          "Of one request, while the server is busy or broken; the waits double from 1 s to "
          "1 min, and are at least what the server asks for (Retry-After)")
      .Between(0, 1000)
      .ShowDefault();
  app.Add("--max-answer-tokens", &endpoint->chat.max_tokens,
          "Of a server's answer. 1: the verdict is weighed by the log-probabilities of its "
          "first token, where the server lists them; more: its words count ([[A]], A, tie); "
          "of grades and ratings 2048 in place of 1")
      .Between(1, 1 << 20)
      .ShowDefault();
}

void AddPrices(FlagSet app, JudgeOptions* judge) {
  app.Add("--price-in", &judge->price_in, "Price of a million tokens that the judge reads")
      .BetweenReal(0, 1e9);
  app.Add("--price-out", &judge->price_out, "Price of a million tokens that it writes")
      .BetweenReal(0, 1e9);
}

}  // namespace

void AddJudge(FlagSet app, Flags* flags) {
  JudgeOptions& judge = flags->judge;
  app.SetFooter(kJudgeFooter);
  app.Add("--job", &flags->job, "Job of kind judge; instead of the options below but --out")
      .Type("FILE");
  app.Add("--kind", &judge.kind,
          "What is asked: which answer is better (pairwise), how much, in Arena-Hard's five grades "
          "(grades), or how good one answer is, from 1 to 10 as in MT-Bench (rating); the last two "
          "of a server")
      .OneOf({"pairwise", "grades", "rating"})
      .ShowDefault();
  app.Add("--outputs", &judge.outputs,
          "The model's answers: of 'fpo-train generate', or AlpacaEval's model_outputs.json")
      .Type("FILE");
  app.Add("--baseline", &judge.baseline, "Answers of what it is compared with, the same forms")
      .Type("FILE");
  app.Add("--judge", &judge.judge,
          "Who judges: a Hugging Face folder of a model, or the URL of a server with "
          "OpenAI's chat completions, up to /v1")
      .Type("DIR|URL");
  app.Add("--pairs", &judge.pairs,
          "Instead of both: annotations of any judge, PandaLM's or LLMBar's votes; their pairs "
          "are judged anew, as to calibrate a judge")
      .Type("FILE");
  app.Add("--questions", &judge.questions, "Of rating: MT-Bench's question.jsonl").Type("FILE");
  app.Add("--references", &judge.references,
          "Of rating: right answers to some questions, FastChat's reference_answer/gpt-4.jsonl")
      .Type("FILE");
  app.Add("--out", &flags->out, "Annotations: *.json a list, else one row a line")
      .Type("FILE")
      .Required();
  app.Add("--prompt", &judge.prompt_file,
          "The judge's instructions, with {instruction}, {output_1} and {output_2}; "
          "default: this project's own. AlpacaEval's prompt files are read too, and of rating "
          "FastChat's judge_prompts.jsonl")
      .Type("FILE");
  app.Add("--verdicts", &judge.tokens,
          "With --prompt: what it is told to answer for the first and the second; "
          "AlpacaEval's classifier prompt: m,M")
      .Type("A,B")
      .ShowDefault();
  app.Add("--store", &judge.verdicts,
          "Folder of verdicts; default: fpo/verdicts in the user's cache folder")
      .Type("DIR");
  app.Add("--order", &judge.order,
          "both, or one of them at half the price: baseline_first, model_first")
      .OneOf({"both", "baseline_first", "model_first"})
      .ShowDefault();
  app.Add("--max-pairs", &judge.pairs_max, "Only the first N answers").Positive();
  app.Add("--length-control", &judge.length_control,
          "AlpacaEval's df_gamed.csv: adds the length-controlled win rate")
      .Type("FILE");
  AddEndpoint(app, &judge.endpoint);
  AddPrices(app, &judge);
  app.Add("--max-prompt-length", &judge.max_prompt_length,
          "Of a model folder: tokens of a comparison; a longer one is an error")
      .Between(16, 1 << 20)
      .ShowDefault();
  app.Add("--template", &judge.template_name,
          "Of a model folder: auto (its own), gemma, halo, none, or a FILE.jinja")
      .ShowDefault();
  app.Add("--dtype", &judge.dtype, "Of a model folder: float32 or bfloat16")
      .OneOf({"float32", "bfloat16"})
      .ShowDefault();
  app.Add("--seed", &judge.seed, "Of the intervals' bootstrap").NotNegative().ShowDefault();
}

namespace {

// What each kind reads.
absl::Status CheckKind(const JudgeOptions& judge) {
  const bool is_rating = judge.kind == "rating";
  if (judge.kind != "pairwise" && !judge.judge.empty() && !IsUrl(judge.judge)) {
    return absl::InvalidArgumentError(
        absl::StrCat("judge: --kind ", judge.kind,
                     " needs a server: a model folder weighs two verdicts and "
                     "writes no words"));
  }
  if (is_rating && (judge.outputs.empty() || judge.questions.empty() || judge.judge.empty() ||
                    !judge.baseline.empty() || !judge.pairs.empty())) {
    return absl::InvalidArgumentError(
        "judge: --kind rating needs --judge, --outputs and --questions, and no --baseline or "
        "--pairs");
  }
  if (!is_rating && !(judge.questions.empty() && judge.references.empty())) {
    return absl::InvalidArgumentError("judge: --questions and --references are of --kind rating");
  }
  return absl::OkStatus();
}

}  // namespace

void AddCalibrate(FlagSet app, Flags* flags) {
  CalibrateOptions& calibrate = flags->calibrate;
  app.SetFooter(kCalibrateFooter);
  app.Add("--judged", &calibrate.judged,
          "What the judge said of the calibration's pairs: of 'fpo-train judge', or annotations; "
          "may be repeated")
      .Type("FILE")
      .Required();
  app.Add("--truth", &calibrate.truth,
          "What people, or a judge that stands for them, said of the same pairs: annotations, "
          "PandaLM's or LLMBar's votes; may be repeated")
      .Type("FILE")
      .Required();
  app.Add("--evaluated", &calibrate.evaluated,
          "What the judge said of the model in question: adds its corrected win rate")
      .Type("FILE");
  app.Add("--out", &calibrate.out, "The result, JSON").Type("FILE").Required();
  app.Add("--seed", &calibrate.seed, "Of the intervals' bootstrap").NotNegative().ShowDefault();
}

absl::Status CheckJudge(const Flags& flags) {
  const JudgeOptions& judge = flags.judge;
  if (!flags.job.empty()) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(CheckKind(judge));
  const bool has_both = !judge.outputs.empty() && !judge.baseline.empty();
  const bool has_any = !judge.outputs.empty() || !judge.baseline.empty();
  const bool has_answers = judge.pairs.empty() ? has_both : !has_any;
  if (judge.kind != "rating" && (!has_answers || judge.judge.empty())) {
    return absl::InvalidArgumentError(
        "judge: needs --judge, and --outputs with --baseline or --pairs alone; or --job");
  }
  const bool is_url = IsUrl(judge.judge);
  if (is_url && judge.endpoint.chat.model.empty()) {
    return absl::InvalidArgumentError(
        "judge: a server has several models: name the judge's with "
        "--judge-model");
  }
  if (!is_url && !judge.endpoint.chat.model.empty()) {
    return absl::InvalidArgumentError("judge: --judge-model is for a server; --judge is a folder");
  }
  if (!is_url && !judge.endpoint.key_file.empty()) {
    return absl::InvalidArgumentError("judge: --key-file is for a server; --judge is a folder");
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
