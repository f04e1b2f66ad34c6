#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/compared_runs.h"
#include "ctl/jobs/paired_evaluation.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int kComparedJobsMax = 500;  // one page
constexpr size_t kPairedJobsMax = 20;  // whose evaluations are fetched

// The jobs with these labels, the oldest first; those that only compute records have no results.
absl::StatusOr<std::vector<std::string>> LabelledJobs(CoordinatorClient& coordinator,
                                                      const std::vector<std::string>& labels) {
  pb::ListJobsRequest request;
  request.set_page_size(kComparedJobsMax);
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    (*request.mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, coordinator.ListJobs(request));
  std::vector<std::string> ids;
  for (const pb::Job& job : answer.jobs()) {
    if (job.kind() != pb::JOB_KIND_REFERENCE) ids.push_back(job.job_id());
  }
  std::reverse(ids.begin(), ids.end());
  if (!ids.empty()) return ids;
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat("no job has the label ", absl::StrJoin(labels, " and "))),
      {.reason = ErrorReason::kNoJobs, .hint = "their labels: fpoctl list --json"});
}

// Suggests what to type: the jobs that have results, the newest first.
absl::Status NothingToCompare(CoordinatorClient& coordinator) {
  pb::ListJobsRequest request;
  request.set_page_size(kComparedJobsMax);
  request.add_states(pb::JOB_STATE_SUCCEEDED);
  FPO_ASSIGN_OR_RETURN(const pb::ListJobsResponse answer, coordinator.ListJobs(request));
  std::vector<std::string> ids;
  for (const pb::Job& job : answer.jobs()) {
    if (job.kind() == pb::JOB_KIND_TRAIN && ids.size() < 2) ids.push_back(job.job_id());
  }
  const std::string message = "compare: name the jobs to compare, or a label with --label";
  if (ids.empty()) {
    return UsageError(absl::StrCat(message, "; none has SUCCEEDED yet"), "fpoctl list");
  }
  return UsageError(message, absl::StrCat("fpoctl compare ", absl::StrJoin(ids, " ")));
}

// What compare says of a job beside the baseline: differences, or why there are none.
struct PairedJob {
  const pb::Job* job = nullptr;
  absl::StatusOr<PairedEvaluation> result;
};

bool MayHavePairs(const pb::Job& job) {
  return job.state() == pb::JOB_STATE_SUCCEEDED &&
         (job.kind() == pb::JOB_KIND_TRAIN || job.kind() == pb::JOB_KIND_EVALUATE);
}

// Every other job against the first. Losses of unlike methods are in unlike units.
std::vector<PairedJob> PairWithFirst(Session& session, CoordinatorClient& coordinator,
                                     const std::vector<pb::Job>& jobs) {
  std::vector<PairedJob> paired;
  if (jobs.size() < 2 || jobs.size() > kPairedJobsMax || !MayHavePairs(jobs.front())) return paired;
  const auto baseline = FetchEvaluationByPair(session, coordinator, jobs.front().job_id());
  for (size_t i = 1; i < jobs.size(); ++i) {
    if (!MayHavePairs(jobs[i])) continue;
    if (!baseline.ok()) {
      paired.push_back({&jobs[i], baseline.status()});
      continue;
    }
    const auto pairs = FetchEvaluationByPair(session, coordinator, jobs[i].job_id());
    if (!pairs.ok()) {
      paired.push_back({&jobs[i], pairs.status()});
      continue;
    }
    auto result = PairEvaluations(*baseline, *pairs);
    if (result.ok() && jobs[i].method() != jobs.front().method()) {
      std::vector<MetricDifference>& metrics = result->metrics;
      metrics.erase(std::remove_if(metrics.begin(), metrics.end(),
                                   [](const auto& m) { return m.metric == "loss"; }),
                    metrics.end());
    }
    paired.push_back({&jobs[i], std::move(result)});
  }
  return paired;
}

std::string PairedJson(const pb::Job& baseline, const PairedJob& paired) {
  JsonObject json;
  json.Add("job_id", paired.job->job_id());
  json.Add("baseline", baseline.job_id());
  if (!paired.result.ok()) {
    json.Add("unpaired", std::string(paired.result.status().message()));
    return json.Text();
  }
  json.Add("pairs", paired.result->pairs);
  JsonObject differences;
  for (const MetricDifference& metric : paired.result->metrics) {
    JsonObject one;
    one.Add("baseline", metric.baseline);
    one.Add("value", metric.value);
    one.Add("difference", metric.difference());
    one.Add("low", metric.interval.low);
    one.Add("high", metric.interval.high);
    differences.AddRaw(metric.metric, one.Text());
  }
  json.Add("level", BootstrapOptions().level);
  json.AddRaw("differences", differences.Text());
  return json.Text();
}

// "+0.03 [-0.01, +0.07]", with a star where the interval excludes 0.
std::string DifferenceText(const PairedEvaluation& evaluation, absl::string_view name) {
  for (const MetricDifference& metric : evaluation.metrics) {
    if (metric.metric != name) continue;
    return absl::StrFormat("%+.4g [%+.4g, %+.4g]%s", metric.difference(), metric.interval.low,
                           metric.interval.high, metric.ExcludesZero() ? " *" : "");
  }
  return "-";
}

void PrintPaired(Session& session, const pb::Job& baseline, const std::vector<PairedJob>& paired) {
  Table table;
  table.header = {"RUN", "PAIRS", "ACCURACY", "MARGIN", "LOSS"};
  table.shrinkable = {0};
  for (const PairedJob& one : paired) {
    const std::string name = OneLine(one.job->name());
    if (!one.result.ok()) {
      session.err << "note: no intervals for " << name << ": "
                  << OneLine(one.result.status().message()) << "\n";
      continue;
    }
    table.rows.push_back(
        {name, HumanCount(one.result->pairs), DifferenceText(*one.result, "accuracy"),
         DifferenceText(*one.result, "rewards/margins"), DifferenceText(*one.result, "loss")});
  }
  if (table.rows.empty()) return;
  session.out << "\nDifference to " << OneLine(baseline.name())
              << " on the same pairs, with its 95 % interval; *: it excludes 0\n"
              << RenderTable(table, session.style());
}

absl::StatusOr<ExitCode> RunCompare(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  std::vector<std::string> names = session.invocation.GetAll("JOB");
  const std::vector<std::string> labels = session.invocation.GetAll("label");
  if (!labels.empty()) {
    FPO_ASSIGN_OR_RETURN(const std::vector<std::string> more, LabelledJobs(coordinator, labels));
    names.insert(names.end(), more.begin(), more.end());
  }
  if (names.empty()) return NothingToCompare(coordinator);
  std::vector<pb::Job> jobs;
  for (const std::string& name : names) {
    FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer, coordinator.GetJob(name));
    jobs.push_back(answer.job());
    if (session.settings().json) session.out << WireJson(answer) << "\n";
    if (session.settings().quiet && !session.settings().json)
      session.out << answer.job().job_id() << "\n";
  }
  if (session.settings().quiet && !session.settings().json) return ExitCode::kOk;
  if (!session.settings().json) session.out << RenderComparison(jobs, session.style());
  const std::vector<PairedJob> paired = PairWithFirst(session, coordinator, jobs);
  if (!session.settings().json) PrintPaired(session, jobs.front(), paired);
  for (const PairedJob& one : paired) {
    if (session.settings().json) session.out << PairedJson(jobs.front(), one) << "\n";
  }
  if (session.invocation.Has("html")) {
    FPO_RETURN_IF_ERROR(
        WriteComparisonPage(session, coordinator, jobs, session.invocation.Get("html")));
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec CompareCommand() {
  CommandSpec c{"compare", "look", "put the results of several jobs side by side"};
  c.details =
      "Held-out accuracy, reward margin, entropy and divergence, reference records found in the "
      "cache, forward passes of the reference, times and peak memory. Below it, for up to 20 jobs "
      "with the same evaluation data, what differs from the first one: a 95 % interval by a paired "
      "bootstrap over the pairs. With --html a page for a browser: curves over steps, time or "
      "divergence, accuracy against divergence, held-out pairs, win rates by temperature, final "
      "values, and where the job files differ.";
  ArgumentSpec jobs = JobsArgument();
  jobs.required = false;
  c.arguments = {jobs};
  c.options = {{"label", "", ValueKind::kLabel, "NAME=VALUE",
                "the jobs with this label, e.g. sweep=ID; may be repeated: with all of them", true},
               {"html", "", ValueKind::kFile, "FILE",
                "also write a page with the jobs' curves over each other"}};
  c.examples = {{"fpoctl compare tiny-dpo tiny-fpo", "two runs by name"},
                {"fpoctl compare --label sweep=5f0c2a9e", "the runs of a sweep"},
                {"fpoctl compare tiny-dpo tiny-fpo --html runs.html", "their curves as a page"}};
  c.json = {"GetJobResponse", "{job_id, baseline, pairs, level, differences} or {..., unpaired}"};
  c.run = RunCompare;
  return c;
}

}  // namespace fpo::ctl
