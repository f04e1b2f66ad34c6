#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/coordinator_stats.h"
#include "coordinator/core/jobs/job_table.h"
#include "coordinator/core/jobs/submission.h"
#include "coordinator/core/scheduling/owner_limits.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

struct SubmitRequest {
  std::string request_id = {};
  std::string config_json = {};
  std::string owner = {};
  bool hold = false;
  std::vector<std::string> after_ok = {};   // jobs that must have succeeded first; ids or names
  std::vector<std::string> after_end = {};  // jobs that must have ended first, however
  bool limited = false;     // OwnerLimits hold: a known caller that is no administrator
  TraceContext trace = {};  // of the caller
};
struct RetryRequest {
  std::string request_id = {};
  std::string job = {};          // id or name of a job that ended without success
  int64_t from_step = 0;         // one of its checkpoints; 0: the newest
  std::string config_json = {};  // empty: that of the job
  std::string owner = {};        // empty: that of the job
  bool limited = false;          // as in SubmitRequest
  TraceContext trace = {};       // of the caller
};
struct SubmitResult {
  JobPtr job;
  std::vector<std::string> warnings;
  std::string records = {};  // what it will find in the cache: RecordsSince
};

// Turns user requests into jobs, once per request id. Not thread-safe.
class JobIntake {
 public:
  struct Options {
    int64_t owner_jobs_max = 0;  // jobs of one owner that have not ended; 0: any number
    int64_t config_bytes_max = int64_t{512} << 20;  // of all jobs' configurations; 0: any number
    OwnerLimits limits = OwnerLimits({});
    bool traces = false;  // jobs without a trace get one
  };
  JobIntake(const Options& options, JobStore* store, JobTable* jobs, CoordinatorCounts* counts)
      : options_(options), store_(store), jobs_(jobs), counts_(counts) {}

  // Durable on return. The same request_id with the same job returns the same job; with another job
  // AlreadyExists (REQUEST_ID_REUSED). NotFound and FailedPrecondition name a job of after_ok;
  // ResourceExhausted (QUOTA); PermissionDenied (BAD_PRIORITY); FailedPrecondition (OUTPUT_IN_USE)
  // as JobTable::CheckOutputIsFree.
  absl::StatusOr<SubmitResult> Submit(const SubmitRequest& request, absl::Time now);
  // A new job that continues where another one ended: same output folder, its checkpoints up to
  // from_step. FailedPrecondition when the job has not ended or has succeeded; NotFound
  // (NO_CHECKPOINT); InvalidArgument (INVALID_RETRY) when the settings name another folder, or
  // change the numbers of a run that is in the folder already.
  absl::StatusOr<SubmitResult> Retry(const RetryRequest& request, absl::Time now);

  // What OwnerLimits say about one more job of this owner.
  absl::Status CheckLimits(const Job& job) const;
  const OwnerLimits& limits() const { return options_.limits; }

  // The jobs as ids. NotFound; with must_succeed FailedPrecondition (DEPENDENCY_FAILED) when one
  // can never succeed.
  // `owner`: who names them, as in JobTable::Find.
  absl::StatusOr<std::vector<std::string>> Dependencies(const std::vector<std::string>& job_refs,
                                                        const std::string& owner,
                                                        bool must_succeed) const;

 private:
  struct Asking {
    std::string request_id;
    bool limited = false;
  };
  absl::StatusOr<SubmitResult> Create(Submission submission, const Asking& asking, absl::Time now);
  absl::StatusOr<SubmitResult> Repeat(const SubmittedRequest& known, const std::string& digest);
  absl::Status CheckRoom(size_t config_bytes) const;
  absl::Status CheckOwnerQuota(const std::string& owner) const;
  absl::Status CheckCanGoOn(const Job& old, const std::string& config_json) const;
  bool HasTrained(const Job& job) const;  // or a job that it retries

  const Options options_;
  JobStore* const store_;
  JobTable* const jobs_;
  CoordinatorCounts* const counts_;
};

}  // namespace fpo::coordinator
