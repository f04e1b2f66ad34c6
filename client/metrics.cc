#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/chart.h"
#include "client/commands.h"
#include "client/convert.h"
#include "client/human.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

namespace pb = fpo::v1;

constexpr int kChartRows = 8;
constexpr const char* kUsual[] = {"loss", "rewards/accuracies", "rewards/margins", "eval_loss"};

void PrintTable(Session& session, const pb::MetricsResponse& answer) {
  std::map<int64_t, std::vector<std::string>> rows;
  Table table;
  table.header = {"STEP"};
  for (const pb::MetricSeries& series : answer.series()) {
    table.header.push_back(series.name());
    for (int i = 0; i < series.steps_size() && i < series.values_size(); ++i) {
      std::vector<std::string>& row = rows[series.steps(i)];
      row.resize(table.header.size() - 1);
      row.back() = HumanNumber(series.values(i));
    }
  }
  for (auto& [step, row] : rows) {
    row.resize(table.header.size() - 1);
    row.insert(row.begin(), absl::StrCat(step));
    table.rows.push_back(std::move(row));
  }
  for (int column = 1; column < static_cast<int>(table.header.size()); ++column) {
    table.shrinkable.push_back(column);
  }
  session.out << RenderTable(table, session.style());
}

bool IsUsual(const std::string& name) {
  return std::find(std::begin(kUsual), std::end(kUsual), name) != std::end(kUsual);
}

void PrintCharts(Session& session, const pb::MetricsResponse& answer, bool all) {
  for (const pb::MetricSeries& series : answer.series()) {
    if (!all && !IsUsual(series.name())) continue;
    ChartPoints points;
    for (int i = 0; i < series.steps_size() && i < series.values_size(); ++i) {
      points.emplace_back(static_cast<double>(series.steps(i)), series.values(i));
    }
    session.out << RenderChart(OneLine(series.name()), points, kChartRows, session.style());
  }
}

absl::Status NoSeries(const pb::MetricsResponse& answer, const std::vector<std::string>& names) {
  return WithErrorInfo(
      absl::NotFoundError(
          absl::StrCat("job ", answer.job_id(), " has no ",
                       names.empty() ? "numbers yet" : "series \"" + names.front() + "\"")),
      {.reason = "NO_METRICS",
       .hint = absl::StrCat("fpoctl metrics ", answer.job_id(), " --json shows all there are"),
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
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (answer.series().empty()) return NoSeries(answer, names);
  if (session.settings().quiet) {
    for (const pb::MetricSeries& series : answer.series()) session.out << series.name() << "\n";
  } else if (session.invocation.Has("plot")) {
    const bool has_usual = std::any_of(answer.series().begin(), answer.series().end(),
                                       [](const auto& series) { return IsUsual(series.name()); });
    PrintCharts(session, answer, !names.empty() || !has_usual);
  } else {
    PrintTable(session, answer);
  }
  return ExitCode::kOk;
}

}  // namespace fpo::client
