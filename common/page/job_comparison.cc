#include "common/page/job_comparison.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/job/job_difference.h"
#include "common/job/job_file.h"
#include "common/page/html.h"

namespace fpo {
namespace {

constexpr char kNoValue[] = "–";

template <class Text>
ComparisonRow RowOf(const std::string& name, const std::vector<ComparedJob>& jobs,
                    const Text& text) {
  ComparisonRow row{.name = name};
  for (const ComparedJob& job : jobs) row.cells.push_back(text(job));
  return row;
}

bool HaveOneMethod(const std::vector<ComparedJob>& jobs) {
  return std::all_of(jobs.begin(), jobs.end(),
                     [&](const ComparedJob& job) { return job.method == jobs.front().method; });
}

// Whether more of it is better; nullopt: it is no quality. Losses of unlike methods are in unlike
// units.
std::optional<bool> MoreIsBetter(absl::string_view metric, const std::vector<ComparedJob>& jobs) {
  absl::ConsumePrefix(&metric, "eval_");
  if (absl::EndsWith(metric, "accuracies") || absl::EndsWith(metric, "accuracy") ||
      absl::EndsWith(metric, "win_rate") || metric == "rewards/margins") {
    return true;
  }
  if (metric == "nll_loss" || (metric == "loss" && HaveOneMethod(jobs))) return false;
  return std::nullopt;
}

std::vector<int> BestOf(const std::string& metric, const std::vector<ComparedJob>& jobs) {
  const std::optional<bool> more = MoreIsBetter(metric, jobs);
  if (!more) return {};
  std::vector<std::pair<double, int>> values;  // the best is the greatest
  for (size_t j = 0; j < jobs.size(); ++j) {
    const auto it = jobs[j].result.find(metric);
    if (it == jobs[j].result.end()) continue;
    values.emplace_back(*more ? it->second : -it->second, static_cast<int>(j));
  }
  if (values.size() < 2) return {};
  const double best = std::max_element(values.begin(), values.end())->first;
  std::vector<int> columns;
  for (const auto& [value, column] : values) {
    if (value == best) columns.push_back(column);
  }
  return columns.size() == values.size() ? std::vector<int>() : columns;
}

}  // namespace

std::vector<std::string> NamesOf(const std::vector<ComparedJob>& jobs) {
  std::map<std::string, int> counts;
  for (const ComparedJob& job : jobs) ++counts[job.name];
  std::vector<std::string> names;
  for (const ComparedJob& job : jobs) {
    names.push_back(job.name.empty()       ? job.job_id
                    : counts[job.name] > 1 ? absl::StrCat(job.name, " (", job.job_id, ")")
                                           : job.name);
  }
  return names;
}

std::vector<ComparisonRow> FinalValueRows(const std::vector<ComparedJob>& jobs) {
  std::vector<ComparisonRow> rows;
  rows.push_back(RowOf("job", jobs, [](const ComparedJob& job) { return job.job_id; }));
  rows.push_back(RowOf("method", jobs, [](const ComparedJob& job) { return job.method; }));
  rows.push_back(RowOf("state", jobs, [](const ComparedJob& job) { return job.state; }));
  if (std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return job.uses_cache; })) {
    rows.push_back(RowOf("records found / needed", jobs, [](const ComparedJob& job) {
      return job.uses_cache ? absl::StrCat(job.records_hit, " / ", job.records_total)
                            : std::string(kNoValue);
    }));
  }
  std::set<std::string> metrics;
  for (const ComparedJob& job : jobs) {
    for (const auto& [name, value] : job.result) metrics.insert(name);
  }
  for (const std::string& metric : metrics) {
    rows.push_back(RowOf(metric, jobs, [&](const ComparedJob& job) {
      const auto it = job.result.find(metric);
      return it == job.result.end() ? std::string(kNoValue) : ShortNumber(it->second);
    }));
    rows.back().best = BestOf(metric, jobs);
  }
  return rows;
}

JobFileComparison CompareJobFiles(const std::vector<ComparedJob>& jobs) {
  JobFileComparison comparison;
  if (jobs.empty()) return comparison;
  const std::vector<std::string> names = NamesOf(jobs);
  const auto first = ReadJobJson(jobs.front().config_json);
  if (!first.ok()) comparison.unread.push_back(names.front());
  std::set<size_t> unread;
  std::map<std::string, std::vector<std::string>> rows;  // by key
  for (size_t j = 1; j < jobs.size(); ++j) {
    const auto other = ReadJobJson(jobs[j].config_json);
    if (!other.ok()) {
      comparison.unread.push_back(names[j]);
      unread.insert(j);
    }
    if (!first.ok() || !other.ok()) continue;
    for (const JobDifference& each : RunDifferences(*first, *other)) {
      auto& cells = rows[each.key];
      if (cells.empty()) cells.assign(jobs.size(), each.first);
      cells[j] = each.second;
    }
  }
  for (auto& [key, cells] : rows) {
    for (const size_t j : unread) cells[j] = kNoValue;
    comparison.rows.push_back({.name = key, .cells = std::move(cells)});
  }
  return comparison;
}

}  // namespace fpo
