#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/plan/plan_text.h"
#include "common/status_macros.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/command_line/error_report.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/job_plan.h"
#include "ctl/jobs/job_source.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

std::string WhatItIs(const JobConfig& config) {
  return config.kind == "train" ? absl::StrCat("train, ", config.method.name) : config.kind;
}

absl::Status StrictProblems(const LoadedJob& job, const std::string& name) {
  std::vector<std::string> lines;
  std::vector<JobProblem> problems = job.missing;
  problems.insert(problems.end(), job.unfit.begin(), job.unfit.end());
  for (const JobProblem& problem : problems) lines.push_back(ProblemLine(problem, name));
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrJoin(lines, "\n")),
                       {.reason = ErrorReason::kInvalidJob,
                        .field = problems.front().key,
                        .hint = "without --strict-files this is a warning: workers may see other "
                                "disks"});
}

// ", but 2 paths are not on this machine and a run would refuse 1 input", or "".
std::string Reservations(const LoadedJob& job) {
  std::vector<std::string> parts;
  if (const size_t n = job.missing.size(); n > 0) {
    parts.push_back(absl::StrCat(n, n == 1 ? " path is" : " paths are", " not on this machine"));
  }
  if (const size_t n = job.unfit.size(); n > 0) {
    parts.push_back(absl::StrCat("a run would refuse ", n, n == 1 ? " input" : " inputs"));
  }
  return parts.empty() ? "" : absl::StrCat(", but ", absl::StrJoin(parts, " and "));
}

// Beside what this machine has free.
absl::Status ShowPlan(Session& session, const LoadedJob& job) {
  const absl::StatusOr<RunPlan> plan = PlanOfJob(session, job, "");
  if (!plan.ok()) {
    return WithErrorInfo(absl::UnavailableError(absl::StrCat("no plan: ", plan.status().message())),
                         {.hint = "a plan is made where fpo-train and the job's inputs are"});
  }
  if (session.settings().json) {
    session.out << RunPlanJson(*plan) << "\n";
    return absl::OkStatus();
  }
  session.out << PlanTable(*plan);
  if (plan->device == "cpu") {
    const std::string advice = PlanAdvice(*plan, false, plan->host_available_bytes);
    session.out << (advice.empty() ? absl::StrCat("fits on this machine: ",
                                                  PlanBytes(plan->host_available_bytes), " free\n")
                                   : absl::StrCat("on this machine it ", advice));
  }
  return absl::OkStatus();
}

absl::Status ValidateOne(Session& session, const std::string& file) {
  const Invocation& invocation = session.invocation;
  const std::string name = file == "-" ? "standard input" : file;
  FPO_ASSIGN_OR_RETURN(LoadedJob job, LoadJobSource(session.environment, file,
                                                    invocation.GetAll("set"), InputLook::kRows));
  const bool strict = invocation.Has("strict-files");
  if (strict && !(job.missing.empty() && job.unfit.empty())) return StrictProblems(job, name);
  PrintWarnings(session, JobWarnings(job.config));
  PrintWarnings(session, WordsAbout(job, file));
  const bool plans = invocation.Has("plan");
  if (session.settings().json && !plans) {
    session.out << WriteJobJson(job.config) << "\n";
  } else if (!session.settings().quiet && !session.settings().json) {
    session.out << name << ": valid (" << WhatItIs(job.config) << ")" << Reservations(job) << "\n";
  }
  return plans ? ShowPlan(session, job) : absl::OkStatus();
}

absl::StatusOr<ExitCode> RunValidate(Session& session) {
  const std::vector<std::string> files = session.invocation.GetAll("FILE");
  if (files.size() == 1) {
    FPO_RETURN_IF_ERROR(ValidateOne(session, files.front()));
    return ExitCode::kOk;
  }
  // One invalid file does not hide the problems of the others.
  ExitCode code = ExitCode::kOk;
  for (const std::string& file : files) {
    const absl::Status status = ValidateOne(session, file);
    if (status.ok()) continue;
    session.err << ErrorReport(status, session.settings().json) << std::flush;
    if (code == ExitCode::kOk) code = ExitCodeOf(status);
  }
  return code;
}

}  // namespace

CommandSpec ValidateCommand() {
  CommandSpec c{"validate", "run", "check job files without a server"};
  c.details =
      "Names every problem at once, each with file and line, and warns of files and folders that "
      "are not on this machine or that a run would refuse: an SAE that does not say its layer, a "
      "model of another kind, rows that cannot be read, a template that the tokenizer lacks the "
      "marks for. The fpo-train in the folder of fpoctl, if any, tries the template and the first "
      "thousand rows. "
      "`submit --dry-run` asks the coordinator too.";
  ArgumentSpec files = JobFileArgument();
  files.help = "job files, YAML or JSON; - is standard input";
  files.repeated = true;
  c.arguments = {files};
  c.options = {SetOption(),
               {"strict-files", "", ValueKind::kFlag, "",
                "a file or folder that is not on this machine, or that a run would refuse, is an "
                "error, not a warning"},
               {"plan", "", ValueKind::kFlag, "",
                "also memory by part, time by phase and what to change where it does not fit; the "
                "fpo-train of that folder prepares the data and measures for some seconds"}};
  c.examples = {
      {"fpoctl validate job.yaml", "exit code 0 when it is valid, 3 when not"},
      {"fpoctl validate job.yaml --json", "the effective job with every default filled in"},
      {"fpoctl validate job.yaml --plan", "what it will take, before it waits in a queue"}};
  c.json = {"the effective job; with --plan the plan"};
  c.run = RunValidate;
  return c;
}

}  // namespace fpo::ctl
