#include "ctl/show/metric_table.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr const char* kUsual[] = {"loss", "rewards/accuracies", "rewards/margins", "eval_loss",
                                  "l0",   "reconstruction"};
constexpr int kStepWidth = 8;
constexpr int kNumberWidth = 9;

// The series that fit into `width`, the usual ones first; 0: all.
std::vector<const pb::MetricSeries*> Columns(const pb::MetricsResponse& answer, int width) {
  std::vector<const pb::MetricSeries*> columns;
  for (const pb::MetricSeries& series : answer.series()) columns.push_back(&series);
  if (width == 0 || columns.empty()) return columns;
  std::stable_partition(columns.begin(), columns.end(), [](const pb::MetricSeries* series) {
    return IsUsualSeries(series->name());
  });
  int used = kStepWidth;
  const auto end = std::find_if(columns.begin(), columns.end(), [&](const pb::MetricSeries* s) {
    used += 2 + std::max(DisplayWidth(s->name()), kNumberWidth);
    return used > width;
  });
  columns.erase(std::max(end, columns.begin() + 1), columns.end());
  return columns;
}

}  // namespace

bool IsUsualSeries(const std::string& name) {
  return std::find(std::begin(kUsual), std::end(kUsual), name) != std::end(kUsual);
}

MetricTable LayOutMetrics(const pb::MetricsResponse& answer, const TextStyle& style) {
  const std::vector<const pb::MetricSeries*> columns = Columns(answer, style.columns);
  std::map<int64_t, std::vector<std::string>> rows;
  Table table;
  table.header = {"STEP"};
  for (const pb::MetricSeries* series : columns) {
    table.header.push_back(OneLine(series->name()));
    table.shrinkable.push_back(static_cast<int>(table.header.size()) - 1);
    for (int i = 0; i < series->steps_size() && i < series->values_size(); ++i) {
      std::vector<std::string>& row = rows[series->steps(i)];
      row.resize(table.header.size());
      row.back() = HumanNumber(series->values(i));
    }
  }
  for (auto& [step, row] : rows) {
    row.resize(table.header.size());
    row.front() = absl::StrCat(step);
    table.rows.push_back(std::move(row));
  }
  return {RenderTable(table, style), answer.series_size() - static_cast<int>(columns.size())};
}

}  // namespace fpo::ctl
