#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/chart.h"
#include "ctl/show/job_facts.h"
#include "ctl/show/metric_table.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr int kChartRows = 8;

void PrintTable(Session& session, const pb::MetricsResponse& answer) {
  const MetricTable table = LayOutMetrics(answer, session.style());
  session.out << table.text;
  if (table.hidden == 0) return;
  session.err
      << table.hidden
      << " more series do not fit here; --name NAME shows one, all names: fpoctl metrics -q "
      << answer.job_id() << "\n";
}

void PrintCharts(Session& session, const pb::MetricsResponse& answer, bool all) {
  for (const pb::MetricSeries& series : answer.series()) {
    if (!all && !IsUsualSeries(series.name())) continue;
    ChartPoints points;
    for (int i = 0; i < series.steps_size() && i < series.values_size(); ++i) {
      points.emplace_back(static_cast<double>(series.steps(i)), series.values(i));
    }
    session.out << RenderChart(OneLine(series.name()), points, kChartRows, session.style());
  }
}

absl::Status NoSeries(const std::string& job_id, const std::string& what, const std::string& hint) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("job ", job_id, " has no ", what)),
                       {.reason = ErrorReason::kNoMetrics, .hint = hint, .ids = {job_id}});
}

// There are no numbers of any name: says what the job is doing instead.
absl::Status NoNumbers(CoordinatorClient& coordinator, const std::string& job_id) {
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer, coordinator.GetJob(job_id));
  const pb::Job& job = answer.job();
  if (IsTerminal(job)) {
    return NoSeries(job_id, absl::StrCat("numbers: it is ", TextOf(job.state()), " without a step"),
                    absl::StrCat("fpoctl describe ", job_id));
  }
  const std::string doing = job.progress().activity().empty()
                                ? std::string(TextOf(job.progress().phase()))
                                : job.progress().activity();
  return NoSeries(job_id,
                  absl::StrCat("numbers yet: they begin with the first step; it is ",
                               TextOf(job.state()), doing.empty() ? "" : ", ", OneLine(doing)),
                  absl::StrCat("fpoctl watch ", job_id));
}

absl::StatusOr<ExitCode> RunMetrics(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::MetricsRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  const std::vector<std::string> names = session.invocation.GetAll("name");
  for (const std::string& name : names) request.add_names(name);
  FPO_ASSIGN_OR_RETURN(const pb::MetricsResponse answer, coordinator.Metrics(request));
  if (answer.series().empty() && names.empty()) return NoNumbers(coordinator, answer.job_id());
  if (answer.series().empty()) {
    return NoSeries(answer.job_id(), absl::StrCat("series \"", names.front(), "\""),
                    absl::StrCat("their names: fpoctl metrics -q ", answer.job_id()));
  }
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::MetricSeries& series : answer.series()) session.out << series.name() << "\n";
  } else if (session.invocation.Has("plot")) {
    const bool has_usual =
        std::any_of(answer.series().begin(), answer.series().end(),
                    [](const auto& series) { return IsUsualSeries(series.name()); });
    PrintCharts(session, answer, !names.empty() || !has_usual);
  } else {
    PrintTable(session, answer);
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec MetricsCommand() {
  CommandSpec c = JobCommand("metrics", "look", "print a job's numbers over its steps", RunMetrics);
  c.details =
      "One column per series, one row per step; at most 2,000 steps, evenly thinned. With --plot "
      "one small chart per series.";
  c.options = {{"name", "", ValueKind::kText, "SERIES",
                "only this series, e.g. loss; may be repeated (default with --plot: a few)", true},
               {"plot", "", ValueKind::kFlag, "", "draw charts instead of a table"}};
  c.json = {"MetricsResponse"};
  c.examples = {{"fpoctl metrics j-4f2a --name loss --plot", "the loss as a chart"},
                {"fpoctl metrics j-4f2a --json", "all series"}};
  return c;
}

}  // namespace fpo::ctl
