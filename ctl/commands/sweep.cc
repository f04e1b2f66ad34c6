#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/job_source.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/jobs/sweep_plan.h"
#include "ctl/jobs/sweep_runs.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/request_id.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/job_display.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

// The runs of a file first: their names begin the names of the jobs.
absl::StatusOr<std::vector<GridAxis>> AxesOf(const Invocation& invocation) {
  std::vector<GridAxis> axes;
  if (invocation.Has("runs")) {
    FPO_ASSIGN_OR_RETURN(std::vector<JobRun> runs, ReadSweepRuns(invocation.Get("runs")));
    for (const char* option : {"set", "grid"}) {
      FPO_RETURN_IF_ERROR(CheckRunsAreAlone(runs, invocation.GetAll(option)));
    }
    axes.push_back(AxisOfRuns(std::move(runs)));
  }
  for (const std::string& text : invocation.GetAll("grid")) {
    FPO_ASSIGN_OR_RETURN(GridAxis axis, ParseGridAxis(text));
    axes.push_back(std::move(axis));
  }
  if (!axes.empty()) return axes;
  return UsageError("sweep: nothing varies: give --grid KEY=A,B,... or --runs FILE",
                    "fpoctl sweep --help");
}

absl::StatusOr<SweepPlan> PlanOf(Session& session, const std::vector<GridAxis>& axes) {
  const Invocation& invocation = session.invocation;
  std::vector<std::string> words;
  const std::string file = invocation.Get("FILE");
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadJobSource(file));
  const auto load = [&](const JobChanges& changes) -> absl::StatusOr<JobConfig> {
    JobChanges all{invocation.GetAll("set"), changes.run};
    all.set.insert(all.set.end(), changes.set.begin(), changes.set.end());
    FPO_ASSIGN_OR_RETURN(LoadedJob job, ParseJobSource(session.environment, file, text, all));
    for (const std::string& word : WordsAbout(job, file)) {
      // The runs share most of their warnings.
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
    return std::move(job.config);
  };
  FPO_ASSIGN_OR_RETURN(SweepPlan plan, PlanSweep(axes, load));
  PrintWarnings(session, words);
  return plan;
}

// Stores the jobs of a plan one after the other, each at most once: repeating it with the same
// request id finds those that are stored already.
class SweepSubmission {
 public:
  SweepSubmission(Session& session, CoordinatorClient& coordinator, std::string request_id)
      : session_(session), coordinator_(coordinator), request_id_(std::move(request_id)) {}

  absl::Status Submit(const std::string& label, SweepPlan* plan) {
    const auto lanes = static_cast<size_t>(session_.invocation.GetCount("max-parallel", 0));
    for (JobConfig& config : plan->references) {
      FPO_RETURN_IF_ERROR(SubmitOne(label, &config, {}));
    }
    for (size_t i = 0; i < plan->runs.size(); ++i) {
      SweepRun& run = plan->runs[i];
      pb::SubmitRequest waits;
      if (run.reference >= 0) waits.add_after_ok(ids_[static_cast<size_t>(run.reference)]);
      if (lanes > 0 && i >= lanes) waits.add_after_end(ids_[ids_.size() - lanes]);
      FPO_RETURN_IF_ERROR(SubmitOne(label, &run.config, waits));
    }
    return absl::OkStatus();
  }

  const std::vector<std::string>& ids() const { return ids_; }  // references first

 private:
  absl::Status SubmitOne(const std::string& label, JobConfig* config,
                         const pb::SubmitRequest& waits) {
    SetLabel("sweep", label, config);
    pb::SubmitRequest request = RequestFor(session_, *config);
    request.MergeFrom(waits);
    request.set_request_id(absl::StrCat(request_id_, "-", ids_.size()));
    const std::string again = AgainHint(session_, request_id_);
    const absl::StatusOr<pb::SubmitResponse> answer =
        SubmitOnce(session_, coordinator_, request, again);
    if (!answer.ok()) return CutShort(answer.status(), again);
    if (session_.settings().json) session_.out << WireJson(*answer) << "\n" << std::flush;
    if (ids_.empty())
      PrintWarnings(session_, {answer->warnings().begin(), answer->warnings().end()});
    ids_.push_back(answer->job_id());
    return absl::OkStatus();
  }

  // The jobs before it are stored and will run.
  absl::Status CutShort(const absl::Status& status, const std::string& again) const {
    if (ids_.empty()) return status;
    ErrorInfo info = GetErrorInfo(status).value_or(ErrorInfo());
    const bool said = absl::StrContains(info.hint, again);  // the response was lost
    if (!said) {
      info.hint = absl::StrCat(info.hint, info.hint.empty() ? "" : "; ", again);
    }
    return WithErrorInfo(
        absl::Status(status.code(), absl::StrCat(status.message(), " (", ids_.size(),
                                                 " jobs of the sweep are stored)")),
        info);
  }

  Session& session_;
  CoordinatorClient& coordinator_;
  const std::string request_id_;
  std::vector<std::string> ids_;
};

// Without ids: nothing was stored.
std::string PlanTable(const SweepPlan& plan, const std::vector<GridAxis>& axes,
                      const std::vector<std::string>& ids, const TextStyle& style) {
  Table table;
  table.header = {"JOB", "NAME"};
  for (const GridAxis& axis : axes) table.header.push_back(axis.key);
  const auto id_of = [&ids](size_t i) { return i < ids.size() ? ids[i] : "-"; };
  for (const JobConfig& config : plan.references) {
    table.rows.push_back({id_of(table.rows.size()), config.name});
    table.rows.back().resize(table.header.size(), "-");
  }
  for (const SweepRun& run : plan.runs) {
    table.rows.push_back({id_of(table.rows.size()), run.config.name});
    for (const std::string& value : run.values) table.rows.back().push_back(OneLine(value));
  }
  return RenderTable(table, style);
}

void PrintNext(Session& session, const std::string& label, const std::vector<std::string>& runs) {
  constexpr size_t kComparedMax = 8;
  session.out << "  follow    fpoctl list --label sweep=" << label << "\n";
  session.out << "  compare   fpoctl compare "
              << (runs.size() <= kComparedMax ? absl::StrJoin(runs, " ")
                                              : absl::StrCat("--label sweep=", label))
              << "\n";
}

std::string CountText(size_t count, const char* what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

// One object per job: {"name":...,"kind":...,"values":{"method.beta":"0.1"}}.
std::string PlanJson(const JobConfig& config, const std::vector<GridAxis>& axes,
                     const std::vector<std::string>& values) {
  JsonObject of_axes;
  for (size_t i = 0; i < values.size(); ++i) of_axes.Add(axes[i].key, values[i]);
  JsonObject json;
  json.Add("name", config.name);
  json.Add("kind", config.kind);
  json.AddRaw("values", of_axes.Text());
  return json.Text() + "\n";
}

absl::StatusOr<ExitCode> ShowPlan(Session& session, const SweepPlan& plan,
                                  const std::vector<GridAxis>& axes) {
  if (session.settings().json) {
    for (const JobConfig& config : plan.references) session.out << PlanJson(config, axes, {});
    for (const SweepRun& run : plan.runs) session.out << PlanJson(run.config, axes, run.values);
    return ExitCode::kOk;
  }
  session.out << PlanTable(plan, axes, {}, session.style());
  session.err << "nothing was stored\n";
  return ExitCode::kOk;
}

struct SentSweep {
  const SweepPlan& plan;
  const std::vector<GridAxis>& axes;
  const std::string label;
  const std::vector<std::string>& ids;  // of the reference jobs, then of the runs
};

void PrintSweep(Session& session, const SentSweep& sent) {
  if (session.settings().quiet) {
    for (const std::string& id : sent.ids) session.out << id << "\n";
    return;
  }
  const size_t references = sent.plan.references.size();
  session.out << "sweep " << sent.label << ": "
              << (references == 0 ? "" : CountText(references, "reference job") + ", ")
              << CountText(sent.plan.runs.size(), "run") << "\n"
              << PlanTable(sent.plan, sent.axes, sent.ids, session.style());
  const auto first_run = sent.ids.begin() + static_cast<std::ptrdiff_t>(references);
  PrintNext(session, sent.label, {first_run, sent.ids.end()});
}

// Follows one job after the other. The exit code is that of the first that did not succeed; the
// others are still waited for.
absl::StatusOr<ExitCode> WaitForAll(Session& session, CoordinatorClient& coordinator,
                                    const std::vector<std::string>& ids) {
  ExitCode first_failure = ExitCode::kOk;
  for (const std::string& id : ids) {
    const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
    FPO_ASSIGN_OR_RETURN(
        const ExitCode code,
        FollowJob(session, coordinator, {.job_id = id, .stream_json = false}, *display));
    if (code == ExitCode::kInterrupted) return code;
    if (first_failure == ExitCode::kOk) first_failure = code;
  }
  return first_failure;
}

absl::StatusOr<ExitCode> RunSweep(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(const std::vector<GridAxis> axes, AxesOf(invocation));
  FPO_ASSIGN_OR_RETURN(SweepPlan plan, PlanOf(session, axes));
  if (invocation.Has("dry-run")) {
    return ShowPlan(session, plan, axes);
  }
  const std::string request_id =
      invocation.Has("request-id") ? invocation.Get("request-id") : NewRequestId();
  const std::string label = request_id.substr(0, 8);
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  SweepSubmission submission(session, coordinator, request_id);
  FPO_RETURN_IF_ERROR(submission.Submit(label, &plan));
  const std::vector<std::string>& ids = submission.ids();
  if (!session.settings().json) PrintSweep(session, {plan, axes, label, ids});
  return invocation.Has("wait") ? WaitForAll(session, coordinator, ids) : ExitCode::kOk;
}

}  // namespace

CommandSpec SweepCommand() {
  CommandSpec c{"sweep", "run", "send a job file for each run or combination of values"};
  c.details =
      "A file of --runs names each run and the keys that it changes: \"dpo: {method.name: dpo, "
      "method.beta: 0.1}\"; --grid is for values of one key, and with both every run has every "
      "value. Runs that need the same reference records wait for one job that computes them. Each "
      "run is named after its values and writes into a folder of that name below the job's output; "
      "all carry the label sweep=ID. An interrupted sweep continues with the same command and its "
      "--request-id.";
  c.arguments = {JobFileArgument()};
  c.options = {{"grid", "", ValueKind::kSetting, "KEY=A,B,...",
                "the values of one key; may be repeated", true},
               {"runs", "", ValueKind::kFile, "FILE",
                "YAML: a line a run, its name and the keys that it changes"},
               SetOption(),
               Within({"max-parallel", "", ValueKind::kCount, "N",
                       "at most N runs at a time: each waits for the end of the one N before it"},
                      1),
               {"wait", "", ValueKind::kFlag, "",
                "follow all jobs to their ends; the exit code is that of the first that failed"},
               {"dry-run", "", ValueKind::kFlag, "", "list the jobs; nothing is stored"},
               {"request-id", "", ValueKind::kText, "ID",
                "continue an interrupted sweep (default: a new UUID)"}};
  c.examples = {{"fpoctl sweep job.yaml --grid method.beta=2,5 --grid method.alpha=0.1,0.5",
                 "four runs, one computation of the reference"},
                {"fpoctl sweep job.yaml --grid optimizer.lr=1e-7,5e-7 --max-parallel 1",
                 "one after the other"},
                {"fpoctl sweep job.yaml --runs methods.yaml --grid seed=1,2,3",
                 "each run of a file with three seeds"}};
  c.json = {"SubmitResponse", "{name, kind, values}"};
  c.run = RunSweep;
  return c;
}

}  // namespace fpo::ctl
