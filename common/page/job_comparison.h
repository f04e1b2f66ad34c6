#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fpo {

// What a comparison of jobs reads of each.
struct ComparedJob {
  std::string job_id;
  std::string name = {};
  std::string method = {};  // or the kind of a job without one
  std::string state = {};
  std::string config_json = {};
  bool uses_cache = false;
  int64_t records_hit = 0, records_total = 0;
  std::map<std::string, double> result = {};
};

// A line of a table with a column for each job. What a job does not have is "–".
struct ComparisonRow {
  std::string name;
  std::vector<std::string> cells = {};
  std::vector<int> best = {};  // columns; empty: nobody can say, or all are equal
};

// The jobs' names; with their ids where a name is not of one job alone.
std::vector<std::string> NamesOf(const std::vector<ComparedJob>& jobs);

// Job, method, state, records and every number of a result. The best of a quality (accuracies,
// margins, win rates, losses of one method) is marked, not that of a cost or of a divergence.
std::vector<ComparisonRow> FinalValueRows(const std::vector<ComparedJob>& jobs);

// Where the job files differ from the first one's (RunDifferences of common/job).
struct JobFileComparison {
  std::vector<ComparisonRow> rows = {};
  std::vector<std::string> unread = {};  // names of jobs whose file another version wrote
};
JobFileComparison CompareJobFiles(const std::vector<ComparedJob>& jobs);

}  // namespace fpo
