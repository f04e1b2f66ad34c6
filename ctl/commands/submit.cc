#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/files/output_folder.h"
#include "common/job/job_file.h"
#include "common/plan/plan_text.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/command_line/hint.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/job_plan.h"
#include "ctl/jobs/job_source.h"
#include "ctl/jobs/read_logs.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/request_id.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& field) {
  return {field.begin(), field.end()};
}

// For records that are not known yet, or for a job that has none.
std::string RecordsText(const pb::ValidateRequest& request) {
  const absl::StatusOr<JobConfig> config = ReadJobJson(request.spec().config_json());
  const bool has_none =
      config.ok() && (config->kind == "sae" || config->reference.source == "none");
  return has_none ? "none: it uses no reference" : "known after prepare";
}

void PrintPreview(Session& session, const pb::ValidateRequest& request,
                  const pb::ValidateResponse& answer) {
  session.out << "the coordinator would take this job; nothing was stored\n"
              << "  fit       " << OneLine(answer.fit()) << "\n"
              << "  ahead     " << answer.jobs_ahead() << " waiting\n";
  if (!answer.quota().empty()) session.out << "  quota     " << OneLine(answer.quota()) << "\n";
  const absl::Time start = absl::FromUnixSeconds(answer.start_estimate().seconds());
  session.out << "  start     "
              << (answer.has_start_estimate() ? "about " + LocalTime(start, session.style().zone)
                                              : "not known yet")
              << "\n  takes     "
              << (answer.run_seconds_estimate() > 0
                      ? "about " + HumanDuration(absl::Seconds(answer.run_seconds_estimate())) +
                            ", as similar jobs did"
                      : "unknown, no similar job has succeeded yet")
              << "\n  records   "
              << (answer.records().empty() ? RecordsText(request) : OneLine(answer.records()))
              << "\n  files     "
              << (answer.files().empty() ? "to be prepared" : OneLine(answer.files())) << "\n";
}

// What is sent, and the warnings about it.
struct Asked {
  pb::SubmitRequest request;
  std::vector<std::string> words;
  LoadedJob job;
};

// Memory and time, and which workers have the room; how it is said is the caller's.
struct AskedPlan {
  absl::StatusOr<RunPlan> plan;
  std::vector<WorkerFit> fits = {};
};

absl::StatusOr<AskedPlan> PlanFor(Session& session, CoordinatorClient& coordinator,
                                  const LoadedJob& job) {
  AskedPlan asked{PlanOfJob(session, job, "; without a plan: --no-plan")};
  if (!asked.plan.ok()) return asked;
  FPO_ASSIGN_OR_RETURN(const pb::ListWorkersResponse answer, coordinator.ListWorkers());
  asked.fits = FitsOf(*asked.plan, {answer.workers().begin(), answer.workers().end()});
  return asked;
}

void PrintPlan(Session& session, const AskedPlan& asked) {
  if (!asked.plan.ok()) {
    session.out << "  plan      none: " << asked.plan.status().message() << "\n";
    return;
  }
  const RunPlan& plan = *asked.plan;
  session.out << "  memory    " << FitsText(plan, asked.fits) << "\n" << PlanTable(plan);
  int64_t most = 0;
  bool fits = asked.fits.empty();
  for (const WorkerFit& fit : asked.fits) {
    most = std::max(most, fit.room_bytes);
    fits = fits || fit.kind != WorkerFit::Kind::kTooSmall;
  }
  if (!fits) session.out << "on no worker: " << PlanAdvice(plan, plan.device == "cuda", most);
}

std::string DryRunJson(const pb::ValidateResponse& response, const AskedPlan& asked) {
  std::string text = WireJson(response);
  if (!asked.plan.ok()) return text;
  text.erase(text.rfind('}'));
  return absl::StrCat(text, text.size() > 1 ? "," : "", "\"plan\":", RunPlanJson(*asked.plan),
                      ",\"workers\":", FitsJson(asked.fits), "}");
}

absl::StatusOr<ExitCode> DryRun(Session& session, const Asked& asked) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ValidateRequest request;
  *request.mutable_spec() = asked.request.spec();
  *request.mutable_after_ok() = asked.request.after_ok();
  *request.mutable_after_end() = asked.request.after_end();
  FPO_ASSIGN_OR_RETURN(const pb::ValidateResponse response, coordinator.Validate(request));
  PrintWarnings(session, Strings(response.warnings()));
  if (response.problems_size() > 0) {
    return WithErrorInfo(
        absl::InvalidArgumentError(absl::StrJoin(response.problems(), "\n")),
        {.reason = ErrorReason::kInvalidJob,
         .hint = absl::StrCat("the lines: ",
                              CommandLineOf({"validate", session.invocation.Get("FILE")}))});
  }
  PrintWarnings(session, asked.words);
  const bool plans = !session.invocation.Has("no-plan");
  if (session.settings().json) {
    if (!plans) {
      session.out << WireJson(response) << "\n";
      return ExitCode::kOk;
    }
    FPO_ASSIGN_OR_RETURN(const AskedPlan plan, PlanFor(session, coordinator, asked.job));
    session.out << DryRunJson(response, plan) << "\n";
  } else if (!session.settings().quiet) {
    PrintPreview(session, request, response);
    if (!plans) return ExitCode::kOk;
    session.out << std::flush;  // measuring takes a while
    FPO_ASSIGN_OR_RETURN(const AskedPlan plan, PlanFor(session, coordinator, asked.job));
    PrintPlan(session, plan);
  }
  return ExitCode::kOk;
}

// --set, and the options that are short for it.
std::vector<std::string> SettingsOf(const Invocation& invocation) {
  std::vector<std::string> set = invocation.GetAll("set");
  if (invocation.Has("name")) set.push_back("name=" + invocation.Get("name"));
  if (invocation.Has("priority")) {
    set.push_back("resources.priority=" + invocation.Get("priority"));
  }
  for (const std::string& label : invocation.GetAll("label")) set.push_back("labels." + label);
  return set;
}

// A short form of the job that exercises everything the job would: data, model, records, a few
// steps, a checkpoint, an evaluation, the export.
void MakeSmoke(JobConfig* config) {
  constexpr int64_t kSteps = 2;
  MakeSmokeNames(config);
  const int64_t pairs = kSteps * config->batch.pairs;
  const int64_t steps = std::min(config->max_steps.value_or(kSteps), kSteps);
  config->max_steps = steps;
  config->data.max_pairs = std::min(config->data.max_pairs.value_or(pairs), pairs);
  config->evaluate.pairs = std::min(config->evaluate.pairs, config->batch.pairs);
  config->reference.probe_pairs = std::min(config->reference.probe_pairs, pairs);
  // The last step has the full learning rate, like most of the real run.
  config->schedule.warmup_steps = std::min(config->schedule.warmup_steps, steps - 1);
  config->sae_training.steps = std::min<int64_t>(config->sae_training.steps, 20);
  config->checkpoint.every_steps = config->evaluate.every_steps = steps;
}

// Warns of a run in the output folder as seen from here; the worker checks before it computes.
void WarnOfOutput(Session& session, const JobConfig& config) {
  if (config.kind != "train") return;
  const auto run = ReadFolderRun(config.output);
  if (!run.ok() || !run->has_value()) return;
  if (IsSmoke(config) && IsSmoke((*run)->job)) return;
  const absl::Status same =
      CheckSameRun(**run, config, "if the worker sees it too, the job fails: --set output=...");
  if (!same.ok()) {
    PrintWarnings(session, {std::string(same.message())});
  } else if (HasAllSteps(**run, config)) {
    PrintWarnings(session,
                  {absl::StrCat("output folder ", config.output, " holds ", (*run)->Describe(),
                                ": if the worker sees it too, nothing ",
                                "is trained; --set output=... or remove it")});
  }
}

absl::StatusOr<Asked> RequestOf(Session& session) {
  const Invocation& invocation = session.invocation;
  if (invocation.Has("wait") && invocation.Has("follow")) {
    return UsageError("submit: --wait and --follow exclude each other", "fpoctl submit --help");
  }
  const std::string file = invocation.Get("FILE");
  FPO_ASSIGN_OR_RETURN(LoadedJob job, LoadJobSource(session.environment, file,
                                                    SettingsOf(invocation), InputLook::kRows));
  if (invocation.Has("smoke")) MakeSmoke(&job.config);
  WarnOfOutput(session, job.config);
  pb::SubmitRequest request = RequestFor(session, job.config);
  request.set_hold(invocation.Has("hold"));
  for (const std::string& other : invocation.GetAll("after-ok")) request.add_after_ok(other);
  for (const std::string& other : invocation.GetAll("after")) request.add_after_end(other);
  std::vector<std::string> words = WordsAbout(job, file);
  return Asked{std::move(request), std::move(words), std::move(job)};
}

absl::StatusOr<ExitCode> RunSubmit(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(Asked asked, RequestOf(session));
  pb::SubmitRequest& request = asked.request;
  if (invocation.Has("dry-run")) return DryRun(session, asked);
  request.set_request_id(invocation.Has("request-id") ? invocation.Get("request-id")
                                                      : NewRequestId());
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(
      const pb::SubmitResponse response,
      SubmitOnce(session, coordinator, request, AgainHint(session, request.request_id())));
  PrintWarnings(session, asked.words);
  PrintWarnings(session, Strings(response.warnings()));
  const bool follows = invocation.Has("follow");
  // With -f, standard output is for the job's lines.
  Session said{invocation,  session.environment, follows ? session.err : session.out,
               session.err, session.interrupt,   session.times};
  PrintSubmitted(said, response);
  if (follows) {
    pb::LogsRequest logs;
    logs.set_job_id(response.job_id());
    logs.set_follow(true);
    return ReadLogs(session, coordinator, logs);
  }
  if (!invocation.Has("wait")) return ExitCode::kOk;
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = response.job_id(), .answered = true}, *display);
}

}  // namespace

CommandSpec SubmitCommand() {
  CommandSpec c{"submit", "run", "send a job file to the coordinator"};
  c.details =
      "Reads and checks the job file, makes its relative paths absolute (relative to the folder of "
      "the job file), and stores the job at the coordinator. A submit whose answer is lost is "
      "repeated with the same request id, so a job is never stored twice. Ctrl-C during --wait "
      "leaves the job running.";
  c.arguments = {JobFileArgument()};
  c.options = {
      SetOption(),
      {"wait", "", ValueKind::kFlag, "", "follow the job to its end; the exit code is the job's"},
      {"dry-run", "", ValueKind::kFlag, "",
       "say where and when it would run, what it will take and what is missing; nothing is stored"},
      {"no-plan", "", ValueKind::kFlag, "",
       "with --dry-run: not what it will take, for which the data is prepared and steps measured"},
      {"hold", "", ValueKind::kFlag, "", "let it wait until fpoctl release"},
      {"after-ok", "", ValueKind::kJob, "JOB",
       "start only after this job succeeded; may be repeated", true},
      {"after", "", ValueKind::kJob, "JOB",
       "start only after this job ended, however; may be repeated", true},
      {"label", "", ValueKind::kLabel, "NAME=VALUE",
       "the same as --set labels.NAME=VALUE; may be repeated", true},
      {"smoke", "", ValueKind::kFlag, "",
       "a short trial of the job: two steps, few pairs, NAME-smoke, its own output folder"},
      {"follow", "f", ValueKind::kFlag, "", "print its log lines to its end, as fpoctl logs -f"},
      Within({"priority", "", ValueKind::kCount, "N",
              "0 to 1000, higher runs first (resources.priority)"},
             0, 1000),
      {"name", "", ValueKind::kText, "NAME", "the same as --set name=NAME"},
      {"request-id", "", ValueKind::kText, "ID",
       "repeat an earlier submit whose answer was lost (default: a new UUID)"}};
  c.examples = {
      {"fpoctl submit job.yaml", "send it and return at once"},
      {"fpoctl submit job.yaml --wait", "send it and watch it run"},
      {"fpoctl submit job.yaml --set method.beta=2 --set name=beta-2",
       "the same with another beta"},
      {"fpoctl submit job.yaml --smoke -f", "does it run at all? two steps, with its log"},
      {"id=$(fpoctl submit -q job.yaml)", "only the id, for scripts"}};
  c.json = {"SubmitResponse", "ValidateResponse", "WatchJobResponse", "LogsResponse"};
  c.run = RunSubmit;
  return c;
}

}  // namespace fpo::ctl
