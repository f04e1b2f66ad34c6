#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/values/store_mark.h"
#include "coordinator/core/hooks/tell_order.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/jobs/job_id.h"
#include "coordinator/core/jobs/job_state_machine.h"
#include "coordinator/core/jobs/live_outputs.h"
#include "coordinator/core/scheduling/job_queue.h"
#include "coordinator/core/scheduling/run_times.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

struct JobFilter {
  std::vector<JobState> states;               // empty: all
  std::string owner;                          // empty: all
  std::map<std::string, std::string> labels;  // only jobs with all of these
  std::string name;                           // empty: all
  int32_t page_size = 100;
  std::string page_token;  // of the previous page; empty: the first page
};
struct JobPage {
  std::vector<JobPtr> jobs;  // newest first
  std::string next_page_token;
};

// Called under the coordinator's lock: must return at once and not call back.
struct JobWatch {
  std::function<void(const JobPtr&)> on_job;  // after every change
  std::function<void()> on_lines;             // after new log lines or events
};
using WatchId = uint64_t;

// All jobs in memory, but for their configurations, written through to the store before a change is
// visible. Not thread-safe: the coordinator's lock guards it.
class JobTable {
 public:
  using OnEnd = std::function<void(const JobPtr&)>;  // called after a job's end, as a JobWatch is
  explicit JobTable(JobStore* store, OnEnd on_end = nullptr)
      : store_(store), on_end_(std::move(on_end)) {}

  absl::Status Load();
  // Assigns the job its id and revision. On a store error nothing is changed.
  absl::StatusOr<JobPtr> Create(Job job, SubmittedRequest request, absl::Time now);
  // Applies an event of the state table durably. Errors of Apply, NotFound, or the store's.
  absl::StatusOr<JobPtr> ApplyEvent(const std::string& job_id, const JobEvent& event,
                                    absl::Time now);
  // Stores a change that is no event of the state table, then publishes it. Errors of the store.
  absl::StatusOr<JobPtr> Put(Job job);
  // Publishes a change that is already stored (or need not be) with a new revision.
  JobPtr Publish(Job job);
  void SetReason(const std::string& job_id, const WaitReason& reason);  // not stored
  // Removes an ended job with its lines. On a store error nothing is changed.
  absl::Status Remove(const std::string& job_id);

  JobPtr Get(const std::string& job_id) const;  // null when absent
  // The same job with its configuration from the store. Errors of JobStore::LoadConfig.
  absl::StatusOr<JobPtr> WithConfig(const JobPtr& job) const;
  // An id, a name (the newest job of it) or a unique prefix of an id. The jobs of `owner` come
  // first: no one else's name stands before one's own, or before an id's prefix. NotFound;
  // InvalidArgument (AMBIGUOUS_JOB) with the candidates.
  absl::StatusOr<JobPtr> Find(absl::string_view job_ref, absl::string_view owner = "") const;
  JobPage List(const JobFilter& filter) const;
  std::vector<JobPtr> WithAttempt() const;  // RESERVED to CANCELLING
  std::vector<JobPtr> All() const;
  std::vector<JobPtr> Queued() const;  // in queue order
  const std::array<int64_t, kEnumSize<JobState>>& counts() const { return counts_; }
  int64_t LiveJobsOf(const std::string& owner) const;     // those that have not ended
  int64_t ConfigBytesOf(const std::string& owner) const;  // of all in the table
  // FailedPrecondition (OUTPUT_IN_USE) names a job that has not ended and writes to the job's
  // folder, or to one above or below it. One that the job waits for is no hindrance.
  absl::Status CheckOutputIsFree(const Job& job) const;
  int64_t config_bytes() const { return config_bytes_; }  // of all jobs, in the store
  // Workers that hold the token and record files of a JobDemand::data_key, of jobs in the table.
  const std::map<std::string, std::set<std::string>>& files() const { return files_; }
  // The newest job of a data_key that used the reference cache, with its configuration where that
  // can be read; null: none.
  JobPtr NewestCacheUser(const std::string& data_key) const;
  const RunTimes& run_times() const { return run_times_; }
  uint64_t revision() const { return revision_; }
  // Jobs that have ended or are held, since that revision; at most so many.
  JobsToTell ToTellAfter(uint64_t revision, size_t jobs_max) const;
  // Of the store, with the revision of the newest change that is durable.
  const StoreIdentity& identity() const { return identity_; }
  StoreMark mark() const { return {identity_.id, identity_.revision}; }
  // Lines were stored, not durably yet; with a job, Publish follows. They count in the revision:
  // a copy of the store that lacks lines which were acknowledged is an older one.
  void NoteLines(const LineWrite& write);
  uint64_t lines_revision() const { return lines_revision_; }  // of the newest such write
  // All writes of lines up to this one are durable.
  void LinesAreDurable(uint64_t lines_revision);
  absl::Status ConfirmStore();  // durably
  absl::Status EndRestore();    // durably
  // No jobs are created from here on, for this reason; OK: they are.
  void RefuseNew(const absl::Status& why) { refuses_new_ = why; }
  const absl::Status& refuses_new() const { return refuses_new_; }
  // JobStore::SettleDoubts with the jobs as they are here.
  absl::Status SettleDoubts(std::function<WorkerMode(const std::string& worker_id)> mode);

  WatchId Watch(const std::string& job_id, JobWatch watch);
  void Unwatch(const std::string& job_id, WatchId id);
  void NotifyLines(const std::string& job_id) const;
  // Log readers wait briefly after the end of their job; this lets them check the clock.
  void NotifyLinesOfTerminalJobs() const;

 private:
  absl::Status PutIdentity(const StoreIdentity& identity);
  void Index(const JobPtr& job);  // replaces the entry of its id
  JobPtr NewestNamed(const std::string& name, absl::string_view owner) const;  // null: none
  // Whether the job can only start after the other one has ended.
  bool WaitsFor(const Job& job, const std::string& other) const;

  JobStore* const store_;
  const OnEnd on_end_;
  JobIdSource ids_;
  uint64_t revision_ = 0;
  uint64_t lines_revision_ = 0;
  StoreIdentity identity_;
  absl::Status refuses_new_;
  std::map<std::string, JobPtr> jobs_;
  std::map<std::string, std::set<std::string>> ids_by_name_;
  std::set<std::string> with_attempt_;
  JobQueue queue_;
  std::array<int64_t, kEnumSize<JobState>> counts_ = {};
  std::map<std::string, int64_t> live_by_owner_;          // without owners that have none
  std::map<std::string, int64_t> config_bytes_by_owner_;  // without owners that have none
  LiveOutputs live_outputs_;
  int64_t config_bytes_ = 0;
  std::map<std::string, int64_t> jobs_by_data_key_;
  std::map<std::string, std::set<std::string>> files_;  // of keys in jobs_by_data_key_
  std::map<std::string, std::string> cache_users_;      // data key -> job id
  RunTimes run_times_;
  TellOrder tell_order_;
  WatchId last_watch_ = 0;
  std::map<std::string, std::map<WatchId, JobWatch>> watches_;
};

}  // namespace fpo::coordinator
