#include "train/flags.h"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/observe/version.h"
#include "common/program_flags.h"
#include "common/train_protocol.h"

namespace fpo::train {
namespace {

constexpr char kFooter[] =
    R"(One machine, no service: write a job file ('fpoctl init fpo > job.yaml'), then
  fpo-train run --job job.yaml --out runs/first
The reference records are computed once into runs/first/reference.fpr; when it ends,
runs/first/model is a Hugging Face folder and runs/first/report.html shows the run.

Exit codes: 0 done, 1 bug, 2 usage, 3 bad config or data, 4 records of another model,
5 out of memory, 6 another rank lost, 7 stopped (checkpoint written), 8 numbers not finite,
9 storage, 10 a device or its library is missing or broken.)";

void AddCommon(CLI::App* app, Flags* flags) {
  app->add_option("--device", flags->device, "Where to compute: auto takes CUDA when it works")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app->add_option("--threads", flags->threads, "CPU threads for tensor work; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app->add_flag("--plain", flags->plain,
                "Compute the plain way, to compare with: padded batches, none of the "
                "trainer's own kernels");
  app->add_flag("--fused-attention", flags->fused_attention,
                "On a GPU, in bfloat16: attention in one kernel, batches without padding. It has a "
                "forward recipe, and so records, of its own")
      ->excludes("--plain");
}

CLI::Option* AddJob(CLI::App* app, Flags* flags) {
  return app->add_option("--job", flags->job, "Job file, YAML or JSON")->type_name("FILE");
}

void AddData(CLI::App* app, Flags* flags) {
  DataSection& data = flags->score.data;
  app->add_option(
         "--data", data.train,
         "Data files (.jsonl, .ndjson, .json, also .gz or .zst), patterns or folders, in order")
      ->type_name("FILE...");
  app->add_option("--format", data.format, "auto, preference, messages, transcript or ids")
      ->check(CLI::IsMember({"auto", "preference", "messages", "transcript", "ids"}))
      ->capture_default_str();
  app->add_option("--template", data.template_name, "auto, gemma, halo or none")
      ->check(CLI::IsMember({"auto", "gemma", "halo", "none"}))
      ->capture_default_str();
  app->add_option("--max-length", data.max_length, "Tokens of prompt and response; more is cut")
      ->check(CLI::Range(2, 1 << 20))
      ->capture_default_str();
  app->add_option("--max-prompt-length", data.max_prompt_length,
                  "Tokens of the prompt; a longer one loses its beginning")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--max-pairs", flags->max_pairs, "Only the first N pairs; 0: all")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--dtype", flags->score.dtype, "float32 or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
}

void AddPrepare(CLI::App* app, Flags* flags) {
  AddJob(app, flags)->required();
  app->add_option("--out", flags->out, "Folder for token files and admission.json")
      ->type_name("DIR");
  app->add_flag("--check", flags->check,
                "Look at the first thousand rows of each input, say what is wrong, write nothing");
  app->add_flag("--json", flags->json, "With --check: the result as JSON (fpoctl's use)");
}

void AddScore(CLI::App* app, Flags* flags) {
  app->add_option("--model", flags->model, "Hugging Face folder")->type_name("DIR");
  app->add_option("--sae", flags->sae_file,
                  "SAE to pool features with (.npz, .safetensors, folder)")
      ->type_name("FILE");
  app->add_option("--layer", flags->layer, "Layer the SAE reads; default: from the file");
  app->add_option("--site", flags->site, "Site the SAE reads; default: from the file")
      ->check(CLI::IsMember({"resid_post", "mlp_out", "attn_z"}));
  AddData(app, flags);
  app->add_option("--features", flags->score.features,
                  "Pooled features to keep: all, or top:M for the M largest")
      ->capture_default_str();
  app->add_option("--out", flags->score.out,
                  "FILE.jsonl: one line per pair, in input order; FILE.fpr: a record file")
      ->type_name("FILE");
  AddJob(app, flags);
  app->add_option("--prepared", flags->prepared, "With --serve: the folder 'prepare' wrote")
      ->type_name("DIR");
  app->add_flag("--serve", flags->serve, "Answer score commands on descriptor 4 (the agent's use)");
}

void AddRun(CLI::App* app, Flags* flags) {
  AddJob(app, flags)->required();
  app->add_option("--out", flags->out, "Output folder: checkpoints, metrics, model, report")
      ->type_name("DIR")
      ->required();
  app->add_flag("--resume", flags->resume, "Resume from the newest checkpoint in --out");
  app->add_option("--prepared", flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      ->type_name("DIR");
  app->add_option("--reference", flags->reference,
                  "A .fpr file; auto: compute what is missing into OUT/reference.fpr; online: keep "
                  "the reference model in memory")
      ->type_name("FILE|auto|online")
      ->capture_default_str();
  app->add_option("--max-steps", flags->max_steps, "Stop after N steps, whatever the job says")
      ->check(CLI::PositiveNumber);
  app->add_flag("--measure", flags->measure,
                "Time the parts of each step, which waits for the device; export no model");
  app->add_option("--rank", flags->rank, "Rank of this process, from 0")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--world-size", flags->world_size, "Number of processes that train together")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--rendezvous", flags->rendezvous,
                  "host:port where rank 0 listens for the others")
      ->type_name("HOST:PORT");
  app->add_option("--rank-timeout", flags->rank_timeout_seconds,
                  "How long a rank waits for the others in one sum; work of one rank alone, as "
                  "writing a checkpoint, is waited for without a limit")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void AddEvaluate(CLI::App* app, Flags* flags) {
  AddJob(app, flags)->required();
  app->add_option("--model", flags->model, "Folder to evaluate; default: the job's model.path")
      ->type_name("DIR");
  app->add_option("--out", flags->out, "JSON file for the metrics")
      ->type_name("FILE.json")
      ->required();
  app->add_option("--prepared", flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      ->type_name("DIR");
  app->add_option("--reference", flags->reference, "A .fpr file, auto or online")
      ->type_name("FILE|auto|online")
      ->capture_default_str();
}

void AddSae(CLI::App* app, Flags* flags) {
  AddJob(app, flags);
  app->add_option("--prepared", flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      ->type_name("DIR");
  app->add_option("--model", flags->model, "Without --job: Hugging Face folder")->type_name("DIR");
  app->add_option("--layer", flags->layer, "Layer to read");
  app->add_option("--site", flags->site, "resid_post, mlp_out or attn_z")
      ->check(CLI::IsMember({"resid_post", "mlp_out", "attn_z"}))
      ->default_str("resid_post");
  AddData(app, flags);
  SaeTrainingSection& sae = flags->sae_training;
  app->add_option("--width", sae.width, "Features")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--target-l0", sae.target_l0, "Target number of active features per token")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--steps", sae.steps, "Optimiser steps")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--lr", sae.lr, "Learning rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--batch-tokens", sae.batch_tokens, "Activation rows per step")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--out", flags->out, "Folder, or FILE.npz; config.json is written beside it")
      ->type_name("DIR|FILE.npz")
      ->required();
}

void AddExport(CLI::App* app, Flags* flags) {
  app->add_option("checkpoint", flags->path, "A run's checkpoint: RUN/checkpoints/step-N")
      ->required();
  app->add_option("--out", flags->out, "Hugging Face folder to create")
      ->type_name("DIR")
      ->required();
  app->add_option("--model", flags->model,
                  "Folder that the run started from; default: model.path of its job")
      ->type_name("DIR");
  app->add_option("--job", flags->job, "Job file of the run; default: RUN/job.yaml")
      ->type_name("FILE");
}

void AddInspect(CLI::App* app, Flags* flags) {
  app->add_option("path", flags->path, "Model, SAE, token file, record file or checkpoint");
  app->add_flag("--devices", flags->devices,
                "Instead of a path: what this machine can compute on, and what is missing");
  app->add_flag("--json", flags->json, "One JSON object");
}

void AddInitModel(CLI::App* app, Flags* flags) {
  InitModelOptions& init = flags->init;
  app->add_option("--config", init.config, "Hugging Face config.json of a Gemma-2 or Gemma-3")
      ->type_name("FILE")
      ->required();
  app->add_option(
         "--tokenizer", init.tokenizer,
         "tokenizer.json or tokenizer.model with vocab_size ids; without one the model takes "
         "rows of ids only")
      ->type_name("FILE");
  app->add_option("--seed", init.seed, "Seed of the weights")->capture_default_str();
  app->add_option("--dtype", init.dtype, "float32 or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
  app->add_option("--out", init.out, "Folder to create")->type_name("DIR")->required();
}

void AddSampling(CLI::App* app, Flags* flags) {
  GenerateSection& generate = flags->generate;
  app->add_option("--max-new-tokens", generate.max_new_tokens, "Tokens of an answer; more is cut")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--temperature", generate.temperature,
                  "Logits are divided by it; 0: always the most likely token")
      ->check(CLI::Range(0.0, 100.0));
  app->add_option("--top-k", generate.top_k, "Only the K most likely tokens; 0: all")
      ->check(CLI::Range(0, 1 << 24));
  app->add_option("--top-p", generate.top_p,
                  "Of these only the fewest with this probability together")
      ->check(CLI::Range(1e-9, 1.0));
  app->add_option("--seed", flags->seed, "Seed of what a temperature above 0 draws")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--template", flags->template_name,
                  "Chat template: auto (the model's own), gemma, halo, none, or a FILE.jinja")
      ->capture_default_str();
  app->add_option("--dtype", flags->dtype,
                  "Of the weights: float32 or bfloat16; a CPU computes in float32 with either")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
}

void AddGenerate(CLI::App* app, Flags* flags) {
  GenerateSection& generate = flags->generate;
  AddJob(app, flags)->description("Job of kind generate; instead of the options below but --out");
  app->add_option("--model", flags->model, "Hugging Face folder")->type_name("DIR");
  app->add_option("--prompts", generate.prompts,
                  "Prompts, .jsonl, .ndjson or .json, also .gz or .zst")
      ->type_name("FILE");
  app->add_option("--format", generate.format,
                  "Of the prompts and the answers. jsonl: rows with prompt (a text or messages), "
                  "messages, instruction or prompt_ids; the others: those benchmarks' own files")
      ->check(CLI::IsMember({"alpaca_eval", "arena_hard", "mt_bench", "jsonl"}))
      ->capture_default_str();
  app->add_option("--out", flags->out,
                  "Answers: *.json a list, else one row a line. Grows by an answer at a time; the "
                  "same command again answers what is missing")
      ->type_name("FILE")
      ->required();
  app->add_option("--name", flags->name, "The model's name in the answers; default: its folder's");
  app->add_option("--max-prompts", generate.max_prompts, "Only the first N prompts")
      ->check(CLI::PositiveNumber);
  app->add_option("--max-prompt-length", generate.max_prompt_length,
                  "Tokens of a prompt; a longer one is an error")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--batch", generate.batch,
                  "Answers in progress at a time; on a CPU the answers do not depend on it")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  AddSampling(app, flags);
}

void AddChat(CLI::App* app, Flags* flags) {
  app->add_option("model", flags->model, "Hugging Face folder with a chat template")
      ->type_name("MODEL")
      ->required();
  app->add_option("--system", flags->system, "System message of the conversation");
  app->add_option("--context", flags->context, "Tokens that a conversation may have")
      ->check(CLI::Range(16, 1 << 20))
      ->capture_default_str();
  AddSampling(app, flags);
}

struct Subcommand {
  const char* name;
  const char* description;
  void (*add)(CLI::App*, Flags*);
};

constexpr Subcommand kSubcommands[] = {
    {"prepare", "Tokenise and check the job's data; write token files and an admission report",
     AddPrepare},
    {"score", "Log-probabilities (and SAE features) of responses under a model, as records",
     AddScore},
    {"run", "Train as the job says: sft, dpo, ln_dpo, simpo, simpo_kl, tdpo1, tdpo2 or fpo",
     AddRun},
    {"evaluate", "Metrics of a model on the job's evaluation pairs", AddEvaluate},
    {"sae", "Train a JumpReLU sparse autoencoder on a model's activations", AddSae},
    {"generate", "Answer the prompts of a file: benchmarks or your own", AddGenerate},
    {"chat", "Talk to a model in a terminal", AddChat},
    {"export", "Write a checkpoint as a Hugging Face folder, with chat template and stop ids",
     AddExport},
    {"inspect", "Identify a path, with its digest; or show what this machine can compute on",
     AddInspect},
    {"init-model", "Create a Hugging Face folder with freshly initialised weights", AddInitModel},
};

absl::Status Mistake(const std::string& message) { return absl::InvalidArgumentError(message); }

// In the user's cache folder, as the XDG base directories have it; "" without a home.
std::string DigestFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return absl::StrCat(cache, "/fpo/digests");
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? absl::StrCat(home, "/.cache/fpo/digests") : "";
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
  CLI::App app{"fpo-train: the numeric program of FPO training; every command also runs by hand",
               "fpo-train"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("fpo-train ") + ProgramVersion());
  app.require_subcommand(1);
  app.add_option("--failpoint", flags.failpoints, "NAME=kill|error[@N], for tests")->group("");
  for (const Subcommand& subcommand : kSubcommands) {
    CLI::App* sub = app.add_subcommand(subcommand.name, subcommand.description);
    subcommand.add(sub, &flags);
    AddCommon(sub, &flags);
  }
  const ProgramArguments arguments{argc, argv};
  const absl::StatusOr<std::optional<std::string>> text = ParseProgramFlags(&app, arguments);
  if (!text.ok()) return UsageError(text.status());
  if (text->has_value()) {
    std::cout << **text;
    return {std::nullopt, 0};
  }
  flags.command = app.get_subcommands().front()->get_name();
  const absl::Status mistake = LocateFlagError(app, arguments, CheckTogether(flags));
  if (!mistake.ok()) return UsageError(mistake);
  if (flags.max_pairs > 0) flags.score.data.max_pairs = flags.max_pairs;
  const CLI::App& command = *app.get_subcommands().front();
  const auto given = [&](const char* name) {
    return flags.command == "chat" && command.get_option(name)->count() > 0;
  };
  if (given("--temperature") || given("--top-k") || given("--top-p")) {
    const GenerateSection& generate = flags.generate;
    flags.sampling = Sampling{generate.temperature, generate.top_k, generate.top_p};
  }
  flags.digest_folder = DigestFolder();
  if (const char* attempt = std::getenv("FPO_ATTEMPT")) {
    flags.supervised = true;
    flags.attempt = attempt;
  }
  return {std::move(flags), 0};
}

}  // namespace fpo::train
