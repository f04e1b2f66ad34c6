#include "train/program.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/failpoint.h"
#include "common/files/missing_path.h"
#include "common/job/job_file.h"
#include "common/observe/version.h"
#include "common/plan/plan_text.h"
#include "common/status_macros.h"
#include "train/device.h"
#include "train/device/device_name.h"
#include "train/device/host_settings.h"
#include "train/device/tensor_memory.h"
#include "train/events/console_progress.h"
#include "train/events/event_writer.h"
#include "train/events/exit_status.h"
#include "train/events/progress_meter.h"
#include "train/events/quiet_rank.h"
#include "train/events/stop_signal.h"
#include "train/events/supervised_sink.h"
#include "train/export/export_checkpoint.h"
#include "train/features/features_of_model.h"
#include "train/findings/findings_text.h"
#include "train/findings/inspect_data.h"
#include "train/flags.h"
#include "train/flags_features.h"
#include "train/formats/digest_cache.h"
#include "train/generate/chat.h"
#include "train/generate/generate.h"
#include "train/join_ranks.h"
#include "train/judge/judge_answers.h"
#include "train/kernel_choice.h"
#include "train/loop/evaluate_model.h"
#include "train/ops/fast_paths.h"
#include "train/plan/plan_job.h"
#include "train/reference/reference_plan.h"
#include "train/reference/score_server.h"
#include "train/report/inspect.h"
#include "train/runs/new_folder.h"
#include "train/runs/prepare_data.h"
#include "train/runs/run_folder.h"
#include "train/runs/run_training.h"
#include "train/sae_training/train_sae.h"
#include "train/tables/pairs_parquet.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

constexpr int64_t kCheckedRows = 1000;  // prepare --check

struct Program {
  const Flags& flags;
  EventSink& events;
  at::Device device = at::kCPU;

  absl::Status Run();
  absl::StatusOr<JobConfig> Job() const;
  absl::Status CheckModel() const;
  absl::Status Choose(const char* phase);
  absl::Status ShowDevices() const;
  absl::Status PrepareData() const;
  absl::Status CheckData(const JobConfig& job) const;
  absl::Status Score() const;
  absl::Status Train() const;
  absl::Status Evaluate() const;
  absl::Status Features() const;
  absl::Status Sae() const;
  absl::Status Generate() const;
  absl::Status Judge() const;
  absl::Status Calibrate() const { return CalibrateJudge(flags.calibrate, events); }
  absl::Status Chat() const;
  absl::Status InspectPath() const;
  absl::Status FindInData() const;
  absl::Status Plan() const;
  absl::Status Export() const;
  absl::Status MakeModel() const { return InitModel(flags.init); }
};

struct Command {
  const char* name;
  absl::Status (Program::*run)() const;
  const char* phase;  // the job phase that this command implements, as the agent names it
  bool computes = true;
};

constexpr Command kCommands[] = {
    {"prepare", &Program::PrepareData, "prepare"},
    {"score", &Program::Score, "reference"},
    {"plan", &Program::Plan, "train"},
    {"run", &Program::Train, "train"},
    {"evaluate", &Program::Evaluate, "train"},
    {"features", &Program::Features, "train"},
    {"sae", &Program::Sae, "train"},
    {"generate", &Program::Generate, "train"},
    {"judge", &Program::Judge, "train"},
    {"calibrate", &Program::Calibrate, "train", false},
    {"chat", &Program::Chat, "train"},
    {"export", &Program::Export, "finish", false},
    {"inspect", &Program::InspectPath, "train", false},
    {"inspect-data", &Program::FindInData, "reference"},
    {"init-model", &Program::MakeModel, "train", false},
};

// Loads the job. Missing inputs are reported before anything is created; with --prepared, where
// data may be elsewhere, each reader checks its own.
absl::StatusOr<JobConfig> Program::Job() const {
  const auto variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  FPO_ASSIGN_OR_RETURN(LoadedJob job, LoadJobFile(flags.job, variable));
  if (flags.prepared.empty() && !job.missing.empty()) {
    const std::string file = flags.job == "-" ? "standard input" : flags.job;
    std::vector<std::string> lines;
    for (const JobProblem& problem : job.missing) lines.push_back(ProblemLine(problem, file));
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }
  for (const std::string& note : job.notes) {
    events.Emit(WarningEvent(note));
  }
  return std::move(job.config);
}

absl::Status Program::CheckModel() const {
  if (flags.model.empty()) return absl::OkStatus();
  const std::string whole = std::filesystem::absolute(flags.model).string();
  const std::string problem = ModelFolderProblem({whole, flags.model}, false);
  return problem.empty() ? absl::OkStatus()
                         : absl::InvalidArgumentError(absl::StrCat("--model: ", problem));
}

absl::Status Program::CheckData(const JobConfig& job) const {
  const InputCheck check = CheckInputs(job, kCheckedRows);
  if (flags.json) {
    std::cout << InputCheckJson(check) << std::endl;
    return absl::OkStatus();
  }
  for (const std::string& warning : check.warnings) events.Emit(WarningEvent(warning));
  std::vector<std::string> lines;
  for (const JobProblem& problem : check.problems) {
    lines.push_back(absl::StrCat(problem.key, ": ", problem.message));
  }
  if (!lines.empty()) return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  events.Emit(PhaseEvent("prepare", absl::StrCat("the first ", check.rows, " rows are fine")));
  return absl::OkStatus();
}

absl::Status Program::PrepareData() const {
  FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
  if (flags.check) return CheckData(job);
  FPO_ASSIGN_OR_RETURN(const PrepareSummary summary,
                       fpo::train::PrepareData(job, flags.out, events));
  ReferenceWork work;
  if (job.kind != "sae" && UsesReference(job) && job.reference.source == "cached") {
    FPO_ASSIGN_OR_RETURN(work, PlanReference(job, flags.out, device));
  }
  std::string note = absl::StrCat(summary.train_pairs, " training and ", summary.eval_pairs,
                                  " evaluation pairs, ", work.responses, " reference responses");
  if (work.train_pairs < summary.train_pairs || work.eval_pairs < summary.eval_pairs) {
    absl::StrAppend(&note, work.responses == 0
                               ? ""
                               : absl::StrCat(" of the ", work.train_pairs, " and ",
                                              work.eval_pairs, " that this job reads"));
  }
  events.Emit(PhaseEvent("prepare", note));
  events.Emit(ResultEvent(flags.out, 0,
                          {{"train_pairs", static_cast<double>(summary.train_pairs)},
                           {"eval_pairs", static_cast<double>(summary.eval_pairs)},
                           {"reference_responses", static_cast<double>(work.responses)}}));
  return absl::OkStatus();
}

absl::Status Program::Score() const {
  if (flags.serve) {
    FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
    CommandReader commands(flags.supervised ? 4 : STDIN_FILENO);
    return ServeScores(job, {flags.prepared, device}, commands, events);
  }
  ScoreDataOptions options = flags.score;
  options.model = flags.model;
  options.device = device;
  if (!flags.sae_file.empty()) options.sae = SaeSection{flags.sae_file, flags.layer, flags.site};
  return ScoreData(options, events);
}

absl::Status Program::Train() const {
  FPO_ASSIGN_OR_RETURN(JobConfig job, Job());
  if (flags.parquet) FPO_RETURN_IF_ERROR(CheckParquet());
  if (flags.max_steps.has_value()) job.max_steps = flags.max_steps;
  RunOptions options{flags.out, flags.prepared,   flags.reference, flags.resume,
                     device,    ProgramVersion(), flags.attempt};
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<ProcessGroup> group, JoinRanks(flags, device));
  CommandReader commands;
  QuietRank quiet(events);
  EventSink& sink = flags.rank == 0 ? events : quiet;
  FPO_RETURN_IF_ERROR(RunTraining(
      job, options, {sink, flags.supervised ? &commands : nullptr, *group, flags.measure}));
  if (!flags.parquet || flags.rank != 0) return absl::OkStatus();
  return AsStorageError(WriteParquetBesideAll(flags.out + "/evaluations"));
}

absl::Status Program::Evaluate() const {
  FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
  if (flags.parquet) FPO_RETURN_IF_ERROR(CheckParquet());
  FPO_RETURN_IF_ERROR(EvaluateModel(
      job, {flags.model, flags.prepared, flags.reference, flags.out, device}, events));
  if (!flags.parquet) return absl::OkStatus();
  return AsStorageError(WriteParquetBeside(EvaluatedPairsFileOf(flags.out)));
}

absl::Status Program::Features() const {
  FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
  return FeaturesOfModel(WithFeatureFlags(job, flags),
                         {flags.model, flags.prepared, flags.reference, flags.out, device}, events);
}

absl::Status Program::Sae() const {
  JobConfig job;
  if (!flags.job.empty()) {
    FPO_ASSIGN_OR_RETURN(job, Job());
  } else {
    job.name = "sae";
    job.kind = "sae";
    job.model = {flags.model, flags.score.dtype};
    job.data = flags.score.data;
    job.sae = {SaeSection{"", flags.layer, flags.site.empty() ? "resid_post" : flags.site}};
    job.sae_training = flags.sae_training;
  }
  return TrainSae(job, {flags.prepared, flags.out, device}, events);
}

absl::Status Program::Generate() const {
  GenerateOptions options{flags.model, flags.dtype, flags.template_name, flags.out,
                          flags.name,  flags.seed,  flags.generate,      device};
  CommandReader commands;
  if (flags.supervised) options.commands = &commands;
  if (!flags.job.empty()) {
    FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
    options.model = job.model.path;
    options.dtype = job.model.dtype;
    options.template_name = job.data.template_name;
    options.name = job.name;
    options.seed = job.seed;
    options.section = job.generate;
  }
  return GenerateFile(options, events);
}

absl::Status Program::Judge() const {
  JudgeOptions options = flags.judge;
  if (!flags.job.empty()) {
    FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
    options = JudgeOptionsOf(job);
  }
  options.out = flags.out;
  options.device = device;
  CommandReader commands;
  if (flags.supervised) options.commands = &commands;
  return JudgeAnswers(options, events);
}

absl::Status Program::Chat() const {
  ChatOptions options;
  options.model = {flags.model, flags.dtype, flags.template_name, device};
  options.system = flags.system;
  options.seed = flags.seed;
  options.context = flags.context;
  options.max_new_tokens = flags.generate.max_new_tokens;
  options.sampling = flags.sampling;
  return RunChat(options, events);
}

absl::Status Program::InspectPath() const {
  FPO_ASSIGN_OR_RETURN(const Inspection inspection, Inspect(flags.path));
  std::cout << (flags.json ? inspection.Json() : inspection.Text());
  return absl::OkStatus();
}

absl::Status Program::FindInData() const {
  FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
  if (flags.parquet) FPO_RETURN_IF_ERROR(CheckParquet());
  FPO_ASSIGN_OR_RETURN(
      const Findings findings,
      InspectData(job, {flags.out, flags.prepared, flags.reference, device}, events));
  if (flags.parquet) FPO_RETURN_IF_ERROR(AsStorageError(WriteParquetBesideAll(flags.out)));
  std::cout << FindingsText(findings) << "written: " << flags.out
            << "/findings.html, findings.json and pairs.jsonl" << std::endl;
  return absl::OkStatus();
}

absl::Status Program::Plan() const {
  FPO_ASSIGN_OR_RETURN(const JobConfig job, Job());
  FPO_ASSIGN_OR_RETURN(const RunPlan plan, PlanJob(job, {flags.prepared, flags.out, device,
                                                         static_cast<double>(flags.plan_seconds)}));
  std::cout << (flags.json ? RunPlanJson(plan) + "\n" : PlanTable(plan)) << std::flush;
  return absl::OkStatus();
}

absl::Status Program::Export() const {
  return ExportCheckpoint({flags.path, flags.out, flags.job, flags.model, flags.merge}, events);
}

// Must come before any tensor: the CUDA library registers its kernels first.
absl::Status Program::Choose(const char* phase) {
  FPO_ASSIGN_OR_RETURN(const DeviceChoice choice, ChooseDevice(flags.device));
  device = choice.device;
  // The first event of a scorer for an agent says that it is ready.
  if (flags.rank == 0 && !flags.serve) {
    events.Emit(PhaseEvent(phase, absl::StrCat("computing on ", DeviceDescription(device))));
  }
  FPO_ASSIGN_OR_RETURN(const std::string warning,
                       ChooseKernels({device, flags.plain, flags.fused_attention}));
  if (!warning.empty() && flags.rank == 0 && !flags.serve) events.Emit(WarningEvent(warning));
  return absl::OkStatus();
}

absl::Status Program::ShowDevices() const {
  if (flags.device == "auto") std::cout << DeviceReport() << std::flush;
  FPO_ASSIGN_OR_RETURN(const DeviceChoice choice, ChooseDevice(flags.device));
  FPO_ASSIGN_OR_RETURN(const std::string line, TryDevice(choice));
  std::cout << (flags.device == "auto" ? "computes:  " : "") << line << std::endl;
  return absl::OkStatus();
}

absl::Status Program::Run() {
  if (flags.devices) return ShowDevices();
  for (const Command& command : kCommands) {
    if (flags.command != command.name) continue;
    if (command.computes) FPO_RETURN_IF_ERROR(Choose(command.phase));
    if (flags.threads > 0) at::set_num_threads(flags.threads);
    SetProcessDigests(std::make_unique<const DigestCache>(flags.digest_folder));
    FPO_RETURN_IF_ERROR(CheckModel());
    FPO_ASSIGN_OR_RETURN(const auto lock, LockOutputOf({flags.command, flags.out, flags.attempt}));
    return (this->*command.run)();
  }
  return FailWith(ExitCode::kUsage, absl::StrCat("there is no command '", flags.command, "'"));
}

const char* PhaseOf(const std::string& name) {
  for (const Command& command : kCommands) {
    if (name == command.name) return command.phase;
  }
  return "";
}

int RunProgram(const Flags& flags) {
  std::unique_ptr<EventSink> events;
  if (flags.supervised) {
    events =
        std::make_unique<SupervisedSink>(std::make_unique<EventWriter>(EventWriter::Options{}));
  } else {
    events = std::make_unique<ConsoleProgress>(ConsoleProgress::Options{});
  }
  InstallStopSignals();
  // The other ranks do the same work at the same pace.
  std::unique_ptr<ProgressMeter> meter;
  ProgressMeter::Options progress;
  progress.phase = PhaseOf(flags.command);
  if (flags.rank == 0) meter = std::make_unique<ProgressMeter>(*events, progress);
  Program program{flags, meter != nullptr ? *meter : *events};
  const NewFolder made(FolderMadeBy(flags.command, flags.out));
  const absl::Status status = RunTorch([&] { return program.Run(); });
  // Under the agent, and with several ranks, the folder is shared with other processes.
  const bool alone = !flags.supervised && flags.world_size == 1;
  if (!status.ok() && alone) made.RemoveIfUnused();
  const ExitCode code = ExitCodeOf(status);
  if (!status.ok()) {
    events->Emit(ErrorEvent(ErrorClass(code), std::string(status.message())));
    if (flags.supervised) std::cerr << "fpo-train: " << status.message() << std::endl;
  }
  return static_cast<int>(code);
}

}  // namespace

int Main(int argc, char** argv) {
  const CommandLine parsed = ParseFlags(argc, argv);
  if (!parsed.flags.has_value()) return parsed.exit_code;
  for (const std::string& failpoint : parsed.flags->failpoints) {
    const absl::Status armed = ArmFailpoint(failpoint);
    if (armed.ok()) continue;
    std::cerr << "fpo-train: " << armed.message() << "\n";
    return static_cast<int>(ExitCode::kUsage);
  }
  LimitSpinning(argv);
  KeepFreedMemory();
  TensorMemory::Install();
  return RunProgram(*parsed.flags);
}

}  // namespace fpo::train
