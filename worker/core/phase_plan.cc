#include "worker/core/phase_plan.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/data_files.h"
#include "common/object_store/object_url.h"

namespace fpo::worker {
namespace {

std::vector<std::string> Begin(const TrainerProgram& trainer, const std::string& command,
                               const AttemptFolders& folders) {
  return {trainer.path, command,        "--job",     folders.job_json,
          "--device",   trainer.device, "--threads", absl::StrCat(trainer.threads)};
}

void Append(std::vector<std::string> words, std::vector<std::string>* argv) {
  argv->insert(argv->end(), std::make_move_iterator(words.begin()),
               std::make_move_iterator(words.end()));
}

// The judge is a model or a server.
std::vector<JobInput> InputsOfJudge(const JobConfig& config) {
  const JudgeSection& judge = config.judge;
  std::vector<JobInput> inputs;
  const auto add = [&](const char* key, const std::string& path) {
    if (!path.empty()) inputs.push_back({key, path});
  };
  add("model.path", config.model.path);
  add("judge.outputs", judge.outputs);
  add("judge.baseline", judge.baseline);
  add("judge.questions", judge.questions);
  add("judge.references", judge.references);
  add("judge.prompt", judge.prompt);
  add("judge.length_control", judge.length_control);
  add("judge.ca_file", judge.ca_file);
  add("judge.key_file", judge.key_file);
  if (absl::EndsWith(config.data.template_name, ".jinja")) {
    add("data.template", config.data.template_name);
  }
  return inputs;
}

}  // namespace

std::vector<JobInput> InputsOf(const JobConfig& config) {
  if (config.kind == "judge") return InputsOfJudge(config);
  std::vector<JobInput> inputs = {{"model.path", config.model.path}};
  if (!config.reference.path.empty() && config.reference.source != "none") {
    inputs.push_back({"reference.path", config.reference.path});
  }
  if (config.kind == "generate") {
    inputs.push_back({"generate.prompts", config.generate.prompts});
    if (absl::EndsWith(config.data.template_name, ".jinja")) {
      inputs.push_back({"data.template", config.data.template_name});
    }
    return inputs;
  }
  if (config.kind != "sae") {  // which creates that file
    for (const SaeSection& sae : config.sae) {
      if (config.method.features == "sae") inputs.push_back({"sae.path", sae.path});
    }
  }
  if (!config.method.feature_weights.empty()) {
    inputs.push_back({"method.feature_weights", config.method.feature_weights});
  }
  for (const FeatureSetSection& set : config.constraint.sets) {
    if (!set.features_file.empty()) inputs.push_back({"constraint.sets", set.features_file});
  }
  if (absl::EndsWith(config.data.template_name, ".jinja")) {
    inputs.push_back({"data.template", config.data.template_name});
  }
  for (const std::string& path : config.data.train) inputs.push_back({"data.train", path});
  for (const std::string& path : config.data.eval) inputs.push_back({"data.eval", path});
  return inputs;
}

bool WritesOutput(const JobConfig& config) {
  return config.kind != "reference" && !config.output.empty();
}

AttemptFolders FoldersOf(const std::string& work_dir, const AttemptRef& attempt) {
  AttemptFolders folders;
  folders.job = absl::StrCat(work_dir, "/jobs/", attempt.job_id);
  folders.attempt = absl::StrCat(folders.job, "/", AttemptFolder(attempt));
  folders.job_json = folders.attempt + "/job.json";
  folders.prepared = folders.job + "/prepared";
  folders.scratch = folders.attempt + "/records";
  return folders;
}

bool UsesReferenceCache(const JobConfig& config) {
  return config.kind != "sae" && config.reference.source == "cached";
}

absl::Status CheckPathsAreAbsolute(const JobConfig& config) {
  std::vector<JobInput> paths = InputsOf(config);
  if (config.kind != "reference" || !config.output.empty()) {
    paths.push_back({"output", config.output});
  }
  if (config.kind == "judge" && !config.judge.store.empty()) {
    paths.push_back({"judge.store", config.judge.store});
  }
  std::vector<std::string> wrong;
  for (const JobInput& path : paths) {
    if (!absl::StartsWith(path.path, "/") && !IsUrl(path.path)) {
      wrong.push_back(absl::StrCat(path.key, ": \"", path.path, "\""));
    }
  }
  if (wrong.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("paths of a job must be absolute on the worker: ", absl::StrJoin(wrong, ", ")));
}

absl::Status CheckInputsExist(const JobConfig& config) {
  for (const JobInput& input : InputsOf(config)) {
    std::error_code error;
    const bool data = absl::StartsWith(input.key, "data.");
    if (std::filesystem::exists(input.path, error)) continue;
    if (data && !error && ExpandDataFiles(input.path).ok() && IsFilePattern(input.path)) continue;
    const std::string what =
        absl::StrCat(input.key, ": ", input.path,
                     error ? " cannot be read: " + error.message() : " does not exist",
                     " on this worker; every worker needs the files of a job under the same path");
    const bool is_of_the_job = !error || error == std::errc::permission_denied ||
                               error == std::errc::filename_too_long ||
                               error == std::errc::too_many_symbolic_link_levels;
    return is_of_the_job ? absl::InvalidArgumentError(what) : absl::UnavailableError(what);
  }
  return absl::OkStatus();
}

std::vector<std::string> PrepareCommand(const TrainerProgram& trainer,
                                        const AttemptFolders& folders) {
  std::vector<std::string> argv = Begin(trainer, "prepare", folders);
  Append({"--out", folders.prepared}, &argv);
  return argv;
}

std::vector<std::string> ScoreCommand(const TrainerProgram& trainer,
                                      const AttemptFolders& folders) {
  std::vector<std::string> argv = Begin(trainer, "score", folders);
  Append({"--prepared", folders.prepared, "--serve"}, &argv);
  return argv;
}

std::string AnswersFile(const JobConfig& config) {
  const bool list = config.generate.format == "alpaca_eval";
  return absl::StrCat(config.output, list ? "/answers.json" : "/answers.jsonl");
}

std::string AnnotationsFile(const JobConfig& config) { return config.output + "/annotations.json"; }

bool IsPreparedFirst(const JobConfig& config) {
  return config.kind != "generate" && config.kind != "judge";
}

std::vector<std::string> MainCommand(const TrainerProgram& trainer, const AttemptFolders& folders,
                                     const JobConfig& config, const RankWork& work) {
  std::vector<std::string> argv;
  if (config.kind == "reference") return argv;
  if (config.kind == "generate") {
    argv = Begin(trainer, "generate", folders);
    Append({"--out", AnswersFile(config)}, &argv);
    return argv;
  }
  if (config.kind == "judge") {
    argv = Begin(trainer, "judge", folders);
    Append({"--out", AnnotationsFile(config)}, &argv);
    return argv;
  }
  const bool is_run = config.kind == "train";
  argv = Begin(trainer, is_run ? "run" : config.kind, folders);
  const std::string out =
      config.kind == "evaluate" ? config.output + "/evaluation.json" : config.output;
  Append({"--prepared", folders.prepared, "--out", out}, &argv);
  if (is_run) argv.push_back("--resume");
  if (!work.record_file.empty()) Append({"--reference", work.record_file}, &argv);
  if (config.reference.source == "online" && config.kind != "sae") {
    Append({"--reference", "online"}, &argv);
  }
  if (is_run && work.world_size > 1) {
    Append({"--rank", absl::StrCat(work.rank), "--world-size", absl::StrCat(work.world_size),
            "--rendezvous", work.rendezvous},
           &argv);
  }
  return argv;
}

}  // namespace fpo::worker
