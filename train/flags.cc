#include "train/flags.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/flags/program_flags.h"
#include "common/observe/version.h"
#include "common/train_protocol.h"
#include "train/flags_features.h"
#include "train/flags_judge.h"
#include "train/flags_look.h"

namespace fpo::train {
namespace {

constexpr char kFooter[] =
    R"(One machine, no service: write a job file ('fpoctl init fpo > job.yaml'), then
  fpo-train run --job job.yaml --out runs/first
The reference records are computed once into runs/first/reference.fpr; when it ends,
runs/first/model is a Hugging Face folder and runs/first/report.html shows the run.

Exit codes: 0 done, 1 bug, 2 usage, 3 bad config or data, 4 records of another model,
5 out of memory, 6 another rank lost, 7 stopped (checkpoint written), 8 numbers not finite,
9 storage, 10 a device or its library is missing or broken, 11 a feature contract is broken.)";

void AddCommon(FlagSet app, Flags* flags) {
  app.Add("--device", &flags->device, "Where to compute: auto takes CUDA when it works")
      .OneOf({"auto", "cpu", "cuda"})
      .ShowDefault();
  app.Add("--threads", &flags->threads, "CPU threads for tensor work; 0: one per core")
      .Between(0, 4096)
      .ShowDefault();
  app.Add("--plain", &flags->plain,
          "Compute the plain way, to compare with: padded batches, none of the "
          "trainer's own kernels");
  app.Add("--fused-attention", &flags->fused_attention,
          "On a GPU, in bfloat16: attention in one kernel, batches without padding. It has a "
          "forward recipe, and so records, of its own")
      .Excludes("--plain");
}

Flag AddJob(FlagSet app, Flags* flags) {
  return app.Add("--job", &flags->job, "Job file, YAML or JSON").Type("FILE");
}

void AddData(FlagSet app, Flags* flags) {
  DataSection& data = flags->score.data;
  app.Add("--data", &data.train,
          "Data files (.jsonl, .ndjson, .json, also .gz or .zst), patterns or folders, in order")
      .Type("FILE...");
  app.Add("--format", &data.format, "auto, preference, messages, transcript or ids")
      .OneOf({"auto", "preference", "messages", "transcript", "ids"})
      .ShowDefault();
  app.Add("--template", &data.template_name, "auto, gemma, halo or none")
      .OneOf({"auto", "gemma", "halo", "none"})
      .ShowDefault();
  app.Add("--max-length", &data.max_length, "Tokens of prompt and response; more is cut")
      .Between(2, 1 << 20)
      .ShowDefault();
  app.Add("--max-prompt-length", &data.max_prompt_length,
          "Tokens of the prompt; a longer one loses its beginning")
      .Between(1, 1 << 20)
      .ShowDefault();
  app.Add("--max-pairs", &flags->max_pairs, "Only the first N pairs; 0: all").NotNegative();
  app.Add("--dtype", &flags->score.dtype, "float32 or bfloat16")
      .OneOf({"float32", "bfloat16"})
      .ShowDefault();
}

void AddPrepare(FlagSet app, Flags* flags) {
  AddJob(app, flags).Required();
  app.Add("--out", &flags->out, "Folder for token files and admission.json").Type("DIR");
  app.Add("--check", &flags->check,
          "Look at the first thousand rows of each input, say what is wrong, write nothing");
  app.Add("--json", &flags->json, "With --check: the result as JSON (fpoctl's use)");
}

void AddScore(FlagSet app, Flags* flags) {
  app.Add("--model", &flags->model, "Hugging Face folder").Type("DIR");
  app.Add("--sae", &flags->sae_file, "SAE to pool features with (.npz, .safetensors, folder)")
      .Type("FILE");
  app.Add("--layer", &flags->layer, "Layer the SAE reads; default: from the file");
  app.Add("--site", &flags->site, "Site the SAE reads; default: from the file")
      .OneOf({"resid_post", "mlp_out", "attn_z"});
  AddData(app, flags);
  app.Add("--features", &flags->score.features,
          "Pooled features to keep: all, or top:M for the M largest")
      .ShowDefault();
  app.Add("--out", &flags->score.out,
          "FILE.jsonl: one line per pair, in input order; FILE.fpr: a record file")
      .Type("FILE");
  AddJob(app, flags);
  app.Add("--prepared", &flags->prepared, "With --serve: the folder 'prepare' wrote").Type("DIR");
  app.Add("--serve", &flags->serve, "Answer score commands on descriptor 4 (the agent's use)");
}

void AddParquet(FlagSet app, Flags* flags) {
  app.Add("--parquet", &flags->parquet,
          "Also write what is kept pair by pair as Parquet, beside each .jsonl file");
}

void AddRun(FlagSet app, Flags* flags) {
  AddJob(app, flags).Required();
  app.Add("--out", &flags->out, "Output folder: checkpoints, metrics, model, report")
      .Type("DIR")
      .Required();
  app.Add("--resume", &flags->resume, "Resume from the newest checkpoint in --out");
  app.Add("--prepared", &flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      .Type("DIR");
  app.Add("--reference", &flags->reference,
          "A .fpr file; auto: compute what is missing into OUT/reference.fpr; online: keep "
          "the reference model in memory")
      .Type("FILE|auto|online")
      .ShowDefault();
  app.Add("--max-steps", &flags->max_steps, "Stop after N steps, whatever the job says").Positive();
  app.Add("--measure", &flags->measure,
          "Time the parts of each step, which waits for the device; export no model");
  AddParquet(app, flags);
  app.Add("--rank", &flags->rank, "Rank of this process, from 0").NotNegative().ShowDefault();
  app.Add("--world-size", &flags->world_size, "Number of processes that train together")
      .Positive()
      .ShowDefault();
  app.Add("--rendezvous", &flags->rendezvous, "host:port where rank 0 listens for the others")
      .Type("HOST:PORT");
  app.Add("--rank-timeout", &flags->rank_timeout_seconds,
          "How long a rank waits for the others in one sum; work of one rank alone, as "
          "writing a checkpoint, is waited for without a limit")
      .Type("SECONDS")
      .Positive()
      .ShowDefault();
}

void AddEvaluate(FlagSet app, Flags* flags) {
  AddJob(app, flags).Required();
  app.Add("--model", &flags->model, "Folder to evaluate; default: the job's model.path")
      .Type("DIR");
  app.Add("--out", &flags->out, "JSON file for the metrics").Type("FILE.json").Required();
  app.Add("--prepared", &flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      .Type("DIR");
  app.Add("--reference", &flags->reference, "A .fpr file, auto or online")
      .Type("FILE|auto|online")
      .ShowDefault();
  AddParquet(app, flags);
}

void AddSae(FlagSet app, Flags* flags) {
  AddJob(app, flags);
  app.Add("--prepared", &flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      .Type("DIR");
  app.Add("--model", &flags->model, "Without --job: Hugging Face folder").Type("DIR");
  app.Add("--layer", &flags->layer, "Layer to read");
  app.Add("--site", &flags->site, "resid_post, mlp_out or attn_z")
      .OneOf({"resid_post", "mlp_out", "attn_z"})
      .ShowDefault("resid_post");
  AddData(app, flags);
  SaeTrainingSection& sae = flags->sae_training;
  app.Add("--width", &sae.width, "Features").Positive().ShowDefault();
  app.Add("--target-l0", &sae.target_l0, "Target number of active features per token")
      .Positive()
      .ShowDefault();
  app.Add("--steps", &sae.steps, "Optimiser steps").Positive().ShowDefault();
  app.Add("--lr", &sae.lr, "Learning rate").Positive().ShowDefault();
  app.Add("--batch-tokens", &sae.batch_tokens, "Activation rows per step").Positive().ShowDefault();
  app.Add("--out", &flags->out, "Folder, or FILE.npz; config.json is written beside it")
      .Type("DIR|FILE.npz")
      .Required();
}

void AddExport(FlagSet app, Flags* flags) {
  app.Add("checkpoint", &flags->path,
          "RUN/checkpoints/step-N; with --merge also an adapter of PEFT")
      .Required();
  app.Add("--out", &flags->out, "Hugging Face folder to create").Type("DIR").Required();
  app.Add("--model", &flags->model,
          "Model the run, or the adapter, started from; default: as it says")
      .Type("DIR");
  app.Add("--job", &flags->job, "Job file of the run; default: RUN/job.yaml").Type("FILE");
  app.Add("--merge", &flags->merge, "Of an adapter: the model with it; else PEFT's two files");
}

void AddInitModel(FlagSet app, Flags* flags) {
  InitModelOptions& init = flags->init;
  app.Add("--config", &init.config, "Hugging Face config.json of a Gemma, Llama 3 or Qwen 3")
      .Type("FILE")
      .Required();
  app.Add("--tokenizer", &init.tokenizer,
          "tokenizer.json or tokenizer.model with vocab_size ids; without one the model takes "
          "rows of ids only")
      .Type("FILE");
  app.Add("--seed", &init.seed, "Seed of the weights").ShowDefault();
  app.Add("--dtype", &init.dtype, "float32 or bfloat16")
      .OneOf({"float32", "bfloat16"})
      .ShowDefault();
  app.Add("--out", &init.out, "Folder to create").Type("DIR").Required();
}

void AddSampling(FlagSet app, Flags* flags) {
  GenerateSection& generate = flags->generate;
  app.Add("--max-new-tokens", &generate.max_new_tokens, "Tokens of an answer; more is cut")
      .Between(1, 1 << 20)
      .ShowDefault();
  app.Add("--temperature", &generate.temperature,
          "Logits are divided by it; 0: always the most likely token")
      .BetweenReal(0.0, 100.0);
  app.Add("--top-k", &generate.top_k, "Only the K most likely tokens; 0: all").Between(0, 1 << 24);
  app.Add("--top-p", &generate.top_p, "Of these only the fewest with this probability together")
      .BetweenReal(1e-9, 1.0);
  app.Add("--seed", &flags->seed, "Seed of what a temperature above 0 draws")
      .NotNegative()
      .ShowDefault();
  app.Add("--template", &flags->template_name,
          "Chat template: auto (the model's own), gemma, halo, none, or a FILE.jinja")
      .ShowDefault();
  app.Add("--dtype", &flags->dtype,
          "Of the weights: float32 or bfloat16; a CPU computes in float32 with either")
      .OneOf({"float32", "bfloat16"})
      .ShowDefault();
}

void AddGenerate(FlagSet app, Flags* flags) {
  GenerateSection& generate = flags->generate;
  AddJob(app, flags).Description("Job of kind generate; instead of the options below but --out");
  app.Add("--model", &flags->model, "Hugging Face folder").Type("DIR");
  app.Add("--prompts", &generate.prompts, "Prompts, .jsonl, .ndjson or .json, also .gz or .zst")
      .Type("FILE");
  app.Add("--format", &generate.format,
          "Of the prompts and the answers. jsonl: rows with prompt (a text or messages), "
          "messages, instruction or prompt_ids; the others: those benchmarks' own files")
      .OneOf({"alpaca_eval", "arena_hard", "mt_bench", "jsonl"})
      .ShowDefault();
  app.Add("--out", &flags->out,
          "Answers: *.json a list, else one row a line. Grows by an answer at a time; the "
          "same command again answers what is missing")
      .Type("FILE")
      .Required();
  app.Add("--name", &flags->name, "The model's name in the answers; default: its folder's");
  app.Add("--max-prompts", &generate.max_prompts, "Only the first N prompts").Positive();
  app.Add("--max-prompt-length", &generate.max_prompt_length,
          "Tokens of a prompt; a longer one is an error")
      .Between(1, 1 << 20)
      .ShowDefault();
  app.Add("--batch", &generate.batch,
          "Answers in progress at a time; on a CPU the answers do not depend on it")
      .Between(1, 4096)
      .ShowDefault();
  AddSampling(app, flags);
}

void AddChat(FlagSet app, Flags* flags) {
  app.Add("model", &flags->model, "Hugging Face folder with a chat template")
      .Type("MODEL")
      .Required();
  app.Add("--system", &flags->system, "System message of the conversation");
  app.Add("--context", &flags->context, "Tokens that a conversation may have")
      .Between(16, 1 << 20)
      .ShowDefault();
  AddSampling(app, flags);
}

struct Subcommand {
  const char* name;
  const char* description;
  void (*add)(FlagSet, Flags*);
};

constexpr Subcommand kSubcommands[] = {
    {"prepare", "Tokenise and check the job's data; write token files and an admission report",
     AddPrepare},
    {"score", "Log-probabilities (and SAE features) of responses under a model, as records",
     AddScore},
    {"plan", "Memory and time that a job will take, and what to change; trains nothing", AddPlan},
    {"run",
     "Train as the job says: sft, dpo, ln_dpo, simpo, simpo_kl, tdpo1, tdpo2, fpo, orpo or kto",
     AddRun},
    {"evaluate", "Metrics of a model on the job's evaluation pairs", AddEvaluate},
    {"features", "Which SAE features training moved, with the texts where they fire", AddFeatures},
    {"sae", "Train a JumpReLU sparse autoencoder on a model's activations", AddSae},
    {"generate", "Answer the prompts of a file: benchmarks or your own", AddGenerate},
    {"judge", "Compare a model's answers with a baseline's: win rates by a judge", AddJudge},
    {"calibrate", "Compare a judge with people, and correct its win rate for its errors",
     AddCalibrate},
    {"chat", "Talk to a model in a terminal", AddChat},
    {"export", "Write a checkpoint as a Hugging Face folder, with chat template and stop ids",
     AddExport},
    {"inspect", "Identify a path, with its digest; or show what this machine can compute on",
     AddInspect},
    {"inspect-data",
     "What separates chosen from rejected, wrong labels, copies, leaks; no training",
     AddInspectData},
    {"init-model", "Create a Hugging Face folder with freshly initialised weights", AddInitModel},
};

absl::Status Mistake(const std::string& message) { return absl::InvalidArgumentError(message); }

// In the user's cache folder, as the XDG base directories have it; "" without a home.
std::string CacheFolder(const char* name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return absl::StrCat(cache, "/fpo/", name);
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? absl::StrCat(home, "/.cache/fpo/", name) : "";
}

// Rules that depend on more than one flag.
absl::Status CheckTogether(const Flags& flags) {
  if (flags.command == "prepare" && flags.check != flags.out.empty()) {
    return Mistake("prepare: needs --out or --check, and not both");
  }
  if (flags.command == "score" && flags.serve && (flags.job.empty() || flags.prepared.empty())) {
    return Mistake("score: --serve needs --job and --prepared");
  }
  if (flags.command == "score" && !flags.serve &&
      (flags.model.empty() || flags.score.data.train.empty() || flags.score.out.empty())) {
    return Mistake("score: needs --model, --data and --out (or --serve with --job and --prepared)");
  }
  if (flags.command == "sae" && flags.job.empty() &&
      (flags.model.empty() || flags.score.data.train.empty() || !flags.layer.has_value())) {
    return Mistake("sae: needs --job, or --model, --data and --layer");
  }
  if (flags.command == "generate" && flags.job.empty() &&
      (flags.model.empty() || flags.generate.prompts.empty())) {
    return Mistake("generate: needs --model and --prompts, or --job");
  }
  if (flags.command == "judge") return CheckJudge(flags);
  if (flags.command == "features") return CheckFeatures(flags);
  if (flags.command == "inspect" && flags.path.empty() != flags.devices) {
    return Mistake("inspect: needs a PATH or --devices, and not both");
  }
  if (flags.world_size > 1 && flags.rendezvous.empty()) {
    return Mistake(
        "run: --world-size above 1 needs --rendezvous HOST:PORT, the same for every rank");
  }
  if (flags.rank < flags.world_size) return absl::OkStatus();
  return Mistake(absl::StrCat("run: --rank is ", flags.rank, " and must be below --world-size, ",
                              flags.world_size));
}

CommandLine UsageError(const absl::Status& error) {
  std::cerr << ProgramErrorText(error);
  return {std::nullopt, static_cast<int>(ExitCode::kUsage)};
}

}  // namespace

CommandLine ParseFlags(int argc, char** argv) {
  Flags flags;
  ProgramFlags program(
      "fpo-train",
      "fpo-train: the numeric program of FPO training; every command also runs by hand");
  program.SetFooter(kFooter);
  program.AddVersion(ProgramVersion());
  program.flags().Add("--failpoint", &flags.failpoints, "NAME=kill|error[@N], for tests").Hidden();
  for (const Subcommand& subcommand : kSubcommands) {
    const FlagSet command = program.AddCommand(subcommand.name, subcommand.description);
    subcommand.add(command, &flags);
    AddCommon(command, &flags);
  }
  const absl::StatusOr<std::optional<std::string>> text = program.Parse({argc, argv});
  if (!text.ok()) return UsageError(text.status());
  if (text->has_value()) {
    std::cout << **text;
    return {std::nullopt, 0};
  }
  flags.command = program.Command();
  const absl::Status mistake = program.Locate(CheckTogether(flags));
  if (!mistake.ok()) return UsageError(mistake);
  if (flags.max_pairs > 0) flags.score.data.max_pairs = flags.max_pairs;
  const FlagSet chosen = program.ChosenFlags();
  const auto given = [&](const char* name) { return flags.command == "chat" && chosen.Has(name); };
  if (given("--temperature") || given("--top-k") || given("--top-p")) {
    const GenerateSection& generate = flags.generate;
    flags.sampling = Sampling{generate.temperature, generate.top_k, generate.top_p};
  }
  flags.digest_folder = CacheFolder("digests");
  if (flags.judge.verdicts.empty()) flags.judge.verdicts = CacheFolder("verdicts");
  const char* attempt = std::getenv("FPO_ATTEMPT");
  flags.supervised = attempt != nullptr;
  if (flags.supervised) flags.attempt = attempt;
  return {std::move(flags), 0};
}

}  // namespace fpo::train
