#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/chart.h"
#include "client/commands.h"
#include "client/convert.h"
#include "client/metric_table.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::client {
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

absl::Status NoSeries(const pb::MetricsResponse& answer, const std::vector<std::string>& names) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat(
                           "job ", answer.job_id(), " has no ",
                           names.empty() ? "numbers yet" : "series \"" + names.front() + "\"")),
                       {.reason = "NO_METRICS",
                        .hint = absl::StrCat(names.empty() ? "what it does: fpoctl explain "
                                                           : "their names: fpoctl metrics -q ",
                                             answer.job_id()),
                        .ids = {answer.job_id()}});
}

}  // namespace

absl::StatusOr<ExitCode> RunMetrics(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::MetricsRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  const std::vector<std::string> names = session.invocation.GetAll("name");
  for (const std::string& name : names) request.add_names(name);
  FPO_ASSIGN_OR_RETURN(const pb::MetricsResponse answer, coordinator.Metrics(request));
  if (answer.series().empty()) return NoSeries(answer, names);
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
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

}  // namespace fpo::client
