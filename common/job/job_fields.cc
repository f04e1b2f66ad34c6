#include "common/job/job_fields.h"

#include "common/job/method_table.h"
#include "common/job/sections/adapter_fields.h"
#include "common/job/sections/constraint_fields.h"
#include "common/job/sections/evaluate_fields.h"
#include "common/job/sections/judge_fields.h"
#include "common/job/sections/parallel_fields.h"
#include "common/job/sections/resources_fields.h"

namespace fpo {
namespace {

using Kind = JobEntry::Kind;
constexpr double kInf = std::numeric_limits<double>::infinity();

JobEntry Field(JobField field) { return {Kind::kField, field.name, field.doc, {field}}; }

JobEntry CheckpointedLayers(std::optional<int64_t>* layers) {
  JobField field = {"activation_checkpointing_layers",
                    layers,
                    "the same for the first layers alone; null: as activation_checkpointing says",
                    {},
                    1,
                    10000};
  field.unwritten = "null";
  return Field(field);
}

JobEntry Model(ModelSection* s) {
  return {
      Kind::kSection,
      "model",
      "the model to train, and the reference unless another is named",
      {{"path", &s->path,
        "Hugging Face directory (config.json, *.safetensors, tokenizer), or s3://... or hf://..."},
       {"dtype",
        &s->dtype,
        "parameters and activations; optimiser state stays float32",
        {"bfloat16", "float32"}}}};
}

JobEntry Reference(ReferenceSection* s) {
  return {Kind::kSection,
          "reference",
          "the frozen reference model",
          {{"source",
            &s->source,
            "records from fpo-cache, in memory, or none",
            {"cached", "online", "none"},
            -kInf,
            kInf,
            "what the method needs"},
           {"path", &s->path, "its Hugging Face directory", {}, -kInf, kInf, "model.path"},
           {"features", &s->features, "which pooled features a record keeps", {"all", "top"}},
           {"features_top", &s->features_top, "how many, with features: top", {}, 1, 1 << 20},
           {"values",
            &s->values,
            "how a record keeps feature values; float16: half the size, 0.05 % off at most",
            {"float32", "float16"}},
           {"share", &s->share, "who else may read the records: public, private, or group:NAME"},
           {"probe_pairs",
            &s->probe_pairs,
            "pairs recomputed at step 0 to prove that the records belong to the model; 0: off",
            {},
            0,
            1024}}};
}

JobEntry SaeTraining(SaeTrainingSection* s) {
  return {Kind::kSection,
          "sae_training",
          "kind: sae, training a JumpReLU SAE",
          {{"width", &s->width, "features", {}, 1, 1 << 22},
           {"target_l0", &s->target_l0, "active features per token to aim at", {}, 0.1, 1e6},
           {"lr", &s->lr, "learning rate", {}, 0, 1},
           {"steps", &s->steps, "optimiser steps", {}, 1, 1e9},
           {"batch_tokens", &s->batch_tokens, "activations per step", {}, 1, 1 << 24}}};
}

JobEntry Generate(GenerateSection* s) {
  return {
      Kind::kSection,
      "generate",
      "kind: generate, answering the prompts of a file",
      {{"prompts", &s->prompts, "the prompts: .jsonl, .ndjson or .json, also .gz or .zst"},
       {"format",
        &s->format,
        "of prompts and answers",
        {"alpaca_eval", "arena_hard", "mt_bench", "jsonl"}},
       {"max_new_tokens", &s->max_new_tokens, "tokens of an answer; more is cut", {}, 1, 1 << 20},
       {"temperature", &s->temperature, "0: always the most likely token", {}, 0, 100},
       {"top_k", &s->top_k, "only the K most likely tokens; 0: all", {}, 0, 1 << 24},
       {"top_p", &s->top_p, "only the fewest with this probability together", {}, 1e-9, 1},
       {"batch", &s->batch, "answers in progress at a time", {}, 1, 4096},
       {"max_prompt_length",
        &s->max_prompt_length,
        "tokens of a prompt; a longer one is an error",
        {},
        1,
        1 << 20},
       {"max_prompts", &s->max_prompts, "first N prompts; null: all", {}, 1, 1e7}}};
}

JobEntry Data(DataSection* s) {
  return {Kind::kSection,
          "data",
          "preference pairs, or responses for sft",
          {{"train", &s->train,
            ".jsonl, .ndjson or .json, also .gz or .zst, .parquet, .arrow; files, patterns, "
            "folders; in order"},
           {"eval", s, "held-out pairs; several sets: {NAME: FILES, ...}", {}, -kInf, kInf, "none"},
           {"format",
            &s->format,
            "how rows are written",
            {"auto", "preference", "messages", "transcript", "ids"}},
           {"template",
            &s->template_name,
            "chat template, or a FILE.jinja; auto: the model's own; none: strings are joined",
            {"auto", "gemma", "halo", "none"},
            -kInf,
            kInf,
            "",
            ".jinja"},
           {"columns",
            &s->columns,
            "what the files call a field of a row: {prompt: question, chosen: answers.0.text}",
            {"prompt", "system", "chosen", "rejected", "completion", "messages", "text",
             "prompt_ids", "chosen_ids", "rejected_ids", "output_1", "output_2", "label", "id",
             "score_chosen", "score_rejected"},
            -kInf,
            kInf,
            "the usual names"},
           {"train_on",
            &s->train_on,
            "which of several assistant turns are trained on",
            {"all_assistant_turns", "last_turn", "first_turn"}},
           {"max_length", &s->max_length, "prompt + response, in tokens", {}, 2, 1 << 20},
           {"max_prompt_length",
            &s->max_prompt_length,
            "longer prompts lose their beginning",
            {},
            1,
            1 << 20,
            "512; half of a max_length of 512 or less"},
           {"max_pairs", &s->max_pairs, "first N after admission; null: all", {}, 1, 1e12},
           {"max_bad_fraction",
            &s->max_bad_fraction,
            "more malformed rows than this stop the job before a model is loaded",
            {},
            0,
            1},
           {"shuffle", &s->shuffle, "a new order each epoch, from the seed"}}};
}

JobEntry Method(MethodSection* s) {
  return {
      Kind::kSection,
      "method",
      "the objective",
      {{"name",
        &s->name,
        "objective",
        {"sft", "dpo", "ln_dpo", "simpo", "simpo_kl", "tdpo1", "tdpo2", "fpo", "orpo", "kto"}},
       {"beta", &s->beta, "scale of the reward", {}, 0, 1e6, BetaDefaults()},
       {"loss",
        &s->loss,
        "of a pair's margin; ipo: ln_dpo and fpo; robust: with label_smoothing",
        {"sigmoid", "hinge", "ipo", "robust"}},
       {"constraint",
        &s->constraint,
        "dpo, ln_dpo and simpo may take fpo's, on features",
        {"none", "features", "kl"},
        -kInf,
        kInf,
        "the method's own"},
       {"alpha", &s->alpha, "weight of the constraint (of features; tdpo2, simpo_kl)", {}, 0, 1e6},
       {"gamma", &s->gamma, "simpo, simpo_kl: target margin, subtracted after beta", {}, -1e6, 1e6},
       {"top_k",
        &s->top_k,
        "constraint on features: how many are compared per response",
        {},
        1,
        1 << 20},
       {"feature_selection",
        &s->feature_selection,
        "constraint on features: whose largest are compared",
        {"union", "reference", "policy"}},
       {"stop_gradient", &s->stop_gradient,
        "no gradient through the chosen side's divergence (features; tdpo2, simpo_kl)"},
       {"features",
        &s->features,
        "constraint on features: those of the SAE, or as an ablation the hidden vector itself",
        {"sae", "hidden"}},
       {"feature_weights", &s->feature_weights,
        "constraint on features: file of \"index weight\" lines; features left out weigh 1"},
       {"sft_weight",
        &s->sft_weight,
        "also train on the chosen answers: this times their mean negative log-prob per token",
        {},
        0,
        1e6},
       {"desirable_weight", &s->desirable_weight, "kto: of desirable examples", {}, 0, 1e6},
       {"undesirable_weight", &s->undesirable_weight, "kto: of undesirable ones", {}, 0, 1e6},
       {"label_smoothing",
        &s->label_smoothing,
        "share of labels taken as wrong",
        {},
        0,
        0.499999}}};
}

JobEntry Optimizer(OptimizerSection* s) {
  return {Kind::kSection,
          "optimizer",
          "the optimiser",
          {{"name", &s->name, "optimiser", {"adam", "adamw", "rmsprop"}},
           {"lr", &s->lr, "learning rate after the warm-up", {}, 0, 10},
           {"betas", &s->betas, "adam, adamw", {}, 0, 0.999999999},
           {"alpha", &s->alpha, "rmsprop: decay of the squared gradient", {}, 0, 0.999999999},
           {"eps", &s->eps, "added to the denominator", {}, 0, 1},
           {"weight_decay", &s->weight_decay, "decoupled with adamw", {}, 0, 10},
           {"max_grad_norm",
            &s->max_grad_norm,
            "clip the gradient's norm to this; 0: off",
            {},
            0,
            kInf}}};
}

JobEntry Schedule(ScheduleSection* s) {
  return {Kind::kSection,
          "schedule",
          "learning rate over time",
          {{"name", &s->name, "after the warm-up", {"constant", "linear", "cosine"}},
           {"warmup_steps",
            &s->warmup_steps,
            "steps of linear warm-up",
            {},
            0,
            1e9,
            "150, or a tenth of max_steps where that is less"}}};
}

JobEntry Batch(BatchSection* s) {
  return {Kind::kSection,
          "batch",
          "batch sizes",
          {{"pairs", &s->pairs, "pairs per optimiser step, over all ranks", {}, 1, 1 << 20},
           {"tokens_per_microbatch",
            &s->tokens_per_microbatch,
            "micro-batches are cut by tokens, padded ones on a GPU; the loss does not depend on it",
            {},
            1,
            1 << 26}}};
}

JobEntry Checkpoint(CheckpointSection* s) {
  return {Kind::kSection,
          "checkpoint",
          "what an interrupted job resumes from",
          {{"every_steps",
            &s->every_steps,
            "steps between checkpoints; 0: only at the end",
            {},
            0,
            1e9},
           {"keep_last", &s->keep_last, "newest checkpoints to keep", {}, 1, 1000},
           {"keep_best", &s->keep_best, "best checkpoints by evaluate.metric to keep", {}, 0, 1000},
           {"background", &s->background,
            "written beside training, from a copy in host memory where there is room"}}};
}

JobEntry Features(FeaturesSection* s) {
  return {Kind::kSection,
          "features",
          "which features moved: a report of runs with an SAE and data.eval",
          {{"top", &s->top, "features that moved most, on each side; 0: no report", {}, 0, 1000},
           {"spans", &s->spans, "texts for each, where it fires strongest", {}, 0, 20},
           {"pairs", &s->pairs, "first N held-out pairs, at most evaluate.pairs", {}, 1, 1e9},
           {"minutes", &s->minutes, "fewer pairs where they would take longer", {}, 1, 10080},
           {"explanations", &s->explanations,
            "labels: Neuronpedia's export of this SAE, .jsonl, .jsonl.gz or a folder of them"}}};
}

JobEntry Retry(RetrySection* s) {
  return {Kind::kSection,
          "retry",
          "what happens after a failure",
          {{"max_restarts",
            &s->max_restarts,
            "restarts after crashes; lost hosts do not count",
            {},
            0,
            1000},
           {"on_oom",
            &s->on_oom,
            "out of memory; retry: half the micro-batch, and a restart when one pair does not fit",
            {"fail", "retry"}}}};
}

}  // namespace

std::vector<JobField> SaeFields(SaeSection* s) {
  return {
      {"path", &s->path,
       "Gemma Scope .npz or .safetensors (+ config.json), or a folder of SAELens, sparsify or "
       "dictionary_learning"},
      {"layer", &s->layer, "read from the file where it says so", {}, 0, 4096},
      {"site", &s->site, "where the SAE reads", {"resid_post", "mlp_out", "attn_z"}},
      {"normalization",
       &s->normalization,
       "folded: the factor of its training's activations is in the arrays, which the files do not "
       "say",
       {"folded"}}};
}

std::vector<JobEntry> JobEntries(JobConfig* c) {
  return {
      Field({"name", &c->name,
             "[a-z0-9-], at most 63 characters; begins and ends with a letter or digit, not with "
             "j-"}),
      Field({"kind",
             &c->kind,
             "what to do",
             {"train", "reference", "evaluate", "generate", "judge", "sae"}}),
      {Kind::kLabels, "labels", "your own words, for listing"},
      Model(&c->model),
      AdapterEntry(&c->adapter),
      Reference(&c->reference),
      {Kind::kSaeList, "sae", "one SAE, or a list of them (the divergences add)"},
      SaeTraining(&c->sae_training),
      Generate(&c->generate),
      JudgeEntry(&c->judge),
      Data(&c->data),
      Method(&c->method),
      ConstraintEntry(&c->constraint),
      Optimizer(&c->optimizer),
      Schedule(&c->schedule),
      Batch(&c->batch),
      Field({"epochs", &c->epochs, "passes over the data", {}, 1, 1e6}),
      Field(
          {"max_steps", &c->max_steps, "stop after so many steps; null: at the end", {}, 1, 1e12}),
      Field({"seed", &c->seed, "data order and initialisation", {}, 0, 9e15}),
      Field({"activation_checkpointing", &c->activation_checkpointing,
             "less memory for a quarter more time; same gradients"}),
      ParallelEntry(&c->parallel),
      CheckpointedLayers(&c->activation_checkpointing_layers),
      Checkpoint(&c->checkpoint),
      EvaluateEntry(&c->evaluate),
      Features(&c->features),
      ResourcesEntry(&c->resources),
      Retry(&c->retry),
      Field({"output",
             &c->output,
             "folder for the model, metrics and report, or s3://BUCKET/PATH",
             {},
             -kInf,
             kInf,
             "runs/NAME beside the job file"}),
  };
}

}  // namespace fpo
