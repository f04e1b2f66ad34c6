#include "train/flags_look.h"

#include "train/flags.h"

namespace fpo::train {

void AddInspect(FlagSet app, Flags* flags) {
  app.Add("path", &flags->path, "Model, SAE, token file, record file or checkpoint");
  app.Add("--devices", &flags->devices,
          "Instead of a path: what this machine can compute on, and what is missing");
  app.Add("--json", &flags->json, "One JSON object");
}

void AddInspectData(FlagSet app, Flags* flags) {
  app.Add("--job", &flags->job, "Job file, YAML or JSON").Type("FILE").Required();
  app.Add("--out", &flags->out,
          "Folder for findings.json, findings.html, pairs.jsonl and what they are made from")
      .Type("DIR")
      .Required();
  app.Add("--prepared", &flags->prepared, "Folder 'prepare' wrote; default: prepare now")
      .Type("DIR");
  app.Add("--reference", &flags->reference,
          "Records of the job's reference: a .fpr file; auto: compute what is missing into "
          "OUT/reference.fpr")
      .Type("FILE|auto")
      .ShowDefault();
  app.Add("--parquet", &flags->parquet,
          "Also write what is kept pair by pair as Parquet, beside each .jsonl file");
}

void AddPlan(FlagSet app, Flags* flags) {
  app.Add("--job", &flags->job, "Job file, YAML or JSON").Type("FILE").Required();
  app.Add("--prepared", &flags->prepared,
          "Folder 'prepare' wrote; default: prepare now, and forget")
      .Type("DIR");
  app.Add("--out", &flags->out,
          "Folder of the run, whose records count as there; default: the job's output")
      .Type("DIR");
  app.Add("--seconds", &flags->plan_seconds,
          "How long measuring may take, roughly; 0: memory alone, no times")
      .Between(0, 3600)
      .ShowDefault();
  app.Add("--json", &flags->json, "One JSON object");
}

}  // namespace fpo::train
