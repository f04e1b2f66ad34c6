#include "train/flags_features.h"

#include <algorithm>

#include "train/flags.h"

namespace fpo::train {
namespace {

constexpr char kFeaturesFooter[] =
    R"(Examples
  The report that a run ends with, again, with labels:
    fpo-train features --job runs/mine/job.yaml --model runs/mine/model \
        --explanations explanations/ --out runs/mine/features.json
  Of a run whose method used no SAE, to compare with one that did:
    fpo-train features --job runs/dpo/job.yaml --model runs/dpo/model \
        --sae params.npz --out runs/dpo/features.json
    fpoctl features --file runs/dpo/features.json --file runs/mine/features.json

The reference is the job's (reference.path, or the model that training began with), the pairs are
the first of its data.eval. docs/features.md says what the numbers mean.)";

}  // namespace

void AddFeatures(FlagSet app, Flags* flags) {
  app.SetFooter(kFeaturesFooter);
  app.Add("--job", &flags->job, "Job file of the run").Type("FILE").Required();
  app.Add("--model", &flags->model, "Folder to compare: a model, or a checkpoint of the run")
      .Type("DIR")
      .Required();
  app.Add("--out", &flags->out, "JSON file for the report").Type("FILE.json").Required();
  app.Add("--sae", &flags->sae_file, "SAE (.npz, .safetensors, folder); default: the job's")
      .Type("FILE");
  app.Add("--layer", &flags->layer, "With --sae: layer it reads; default: from the file");
  app.Add("--site", &flags->site, "With --sae: site it reads; default: from the file")
      .OneOf({"resid_post", "mlp_out", "attn_z"});
  app.Add("--explanations", &flags->explanations,
          "Labels: Neuronpedia's export of this SAE, .jsonl, .jsonl.gz or a folder of them")
      .Type("PATH");
  app.Add("--top", &flags->top, "Features that moved most, on each side; default: the job's")
      .Between(1, 1000);
  app.Add("--spans", &flags->spans, "Texts for each; default: the job's").Between(0, 20);
  app.Add("--pairs", &flags->pairs, "First N held-out pairs; default: the job's").Positive();
  app.Add("--minutes", &flags->minutes,
          "Fewer pairs where they would take longer; default: the job's")
      .Positive();
  app.Add("--prepared", &flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      .Type("DIR");
  app.Add("--reference", &flags->reference,
          "auto: run the job's reference model; a .fpr file: read its records instead, which "
          "gives no codes of single tokens and no fit before")
      .Type("FILE|auto")
      .ShowDefault();
}

absl::Status CheckFeatures(const Flags& flags) {
  if (!flags.sae_file.empty() || (!flags.layer.has_value() && flags.site.empty())) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("features: --layer and --site say where --sae reads");
}

JobConfig WithFeatureFlags(JobConfig job, const Flags& flags) {
  if (!flags.sae_file.empty()) job.sae = {SaeSection{flags.sae_file, flags.layer, flags.site}};
  if (!flags.explanations.empty()) job.features.explanations = flags.explanations;
  if (flags.top) job.features.top = *flags.top;
  if (flags.spans) job.features.spans = *flags.spans;
  if (flags.minutes) job.features.minutes = *flags.minutes;
  if (flags.pairs) {
    job.features.pairs = *flags.pairs;
    job.evaluate.pairs = std::max(job.evaluate.pairs, *flags.pairs);
  }
  return job;
}

}  // namespace fpo::train
