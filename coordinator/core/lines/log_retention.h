#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

struct LogLimits {
  absl::Duration keep = absl::Hours(24 * 30);   // of lines; zero: forever
  int64_t job_bytes_max = int64_t{1} << 30;     // of one job; 0: no limit
  int64_t total_bytes_max = int64_t{16} << 30;  // of all; 0: no limit
};

// Keeps log lines within their limits of age and size: removes the oldest lines of a job and puts
// one line in their place that says how many and why. Under the limit for all logs, jobs that ended
// are cut first, in the order of their ends; then the job with the most. Not thread-safe: the
// coordinator's lock guards it.
class LogRetention {
 public:
  LogRetention(const LogLimits& limits, JobStore* store, JobTable* jobs)
      : limits_(limits), store_(store), jobs_(jobs) {}

  // Loads what is stored; counts the lines of stores older than this accounting.
  absl::Status Load();
  // The job's totals with these lines, to be stored with them; call Set afterwards.
  LogStock With(const std::string& job_id, const std::vector<LogLine>& lines) const;
  void Set(const std::string& job_id, const LogStock& stock);
  void Forget(const std::string& job_id);  // of a job that was removed with its lines
  // Removes lines beyond the limits, a bounded number per call.
  void Tick(absl::Time now);

  int64_t bytes() const { return total_; }
  // Since the start, by reason: age | job_limit | total_limit.
  const std::map<std::string, int64_t>& removed_bytes() const { return removed_bytes_; }

 private:
  struct Cut {
    std::string job_id;
    std::string reason;
    int64_t before_unix_ms = 0;  // older lines are removed
    int64_t bytes = 0;           // at least this many are removed
  };

  std::vector<Cut> Plan(absl::Time now) const;
  void AddCutsOfAllLogs(std::vector<Cut>* cuts) const;
  // Lines removed; fewer than `lines_max` when the cut is done.
  absl::StatusOr<int32_t> Carry(const Cut& cut, int32_t lines_max);
  LogLine GapLine(const Cut& cut, const LogStock& stock, const LogLine& last) const;

  const LogLimits limits_;
  JobStore* const store_;
  JobTable* const jobs_;
  std::map<std::string, LogStock> stocks_;
  int64_t total_ = 0;
  absl::Time next_look_ = absl::InfinitePast();
  std::map<std::string, int64_t> removed_bytes_;
};

}  // namespace fpo::coordinator
