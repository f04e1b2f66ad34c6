#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/observe/trace_context.h"
#include "common/values/cache_use.h"
#include "common/values/checkpoint.h"
#include "common/values/job_kind.h"
#include "common/values/job_state.h"
#include "common/values/phase.h"
#include "coordinator/core/jobs/attempt.h"
#include "coordinator/core/jobs/standing.h"

// The coordinator's entities as plain values, with simple predicates.
namespace fpo::coordinator {

bool HasAttempt(JobState state);  // an attempt may have processes
bool IsActive(JobState state);    // RESERVED, STARTING, RUNNING: an attempt is to continue
bool IsStopping(JobState state);  // asked to end: CANCELLING, PAUSING, PREEMPTING

struct Progress {
  std::optional<Phase> phase;  // none before the first
  int64_t done = 0;            // within the phase
  int64_t total = 0;
  std::string unit;
  std::string activity;  // what is being done right now, as text
  int64_t step = 0;
  int64_t total_steps = 0;
  std::map<std::string, double> metrics;  // last values, names of metrics.jsonl
  CacheUse cache;                         // of the job: CacheUseOf its attempts
  absl::Time updated = absl::InfinitePast();

  bool operator==(const Progress&) const = default;
};

// What the job's configuration says about scheduling it; fixed at submit.
struct JobDemand {
  int32_t slots = 1;
  int32_t min_slots = 0;   // that suffice after the loss of a worker; 0: slots
  int64_t priority = 500;  // higher first
  int64_t max_restarts = 3;
  bool retry_on_oom = false;
  std::string queue = "default";
  std::map<std::string, std::string> require;  // labels a worker must have
  int64_t keep_last = 2;                       // checkpoints: newest ones kept
  int64_t keep_best = 1;                       // also kept: those with the lowest score
  std::string data_key;      // equal for jobs that use the same token and record files
  std::string output;        // the folder it writes to, normalised; empty: none
  int64_t config_bytes = 0;  // of config_json

  bool operator==(const JobDemand&) const = default;
};

struct Job {
  std::string job_id;
  std::string name;
  std::string owner;
  // The effective job. Of jobs in the JobTable it is in the store only: JobTable::WithConfig.
  std::string config_json;
  std::optional<JobKind> kind;  // of config_json
  std::string method;           // of config_json; empty unless kind is "train"
  JobDemand demand;
  std::map<std::string, std::string> labels;  // of the job file
  std::vector<std::string> after_ok;          // ids of jobs that must have succeeded first
  std::vector<std::string> after_end;         // ids of jobs that must have ended first, however
  std::string retry_of;                       // id of the job that this one retries
  TraceContext trace;  // its span is the one above the job's, of whoever submitted it

  JobState state = JobState::kQueued;
  std::string reason;  // why FAILED, or why it waits, for people
  // For a QUEUED job, the same for programs. Not stored: each scheduling pass sets it again.
  Standing waits_for = Standing::kQueued;
  bool workers_away = false;  // as in WaitReason
  uint64_t epoch = 0;         // only grows
  std::vector<Attempt> attempts;
  int64_t restarts_used = 0;
  int32_t attempts_without_progress = 0;         // in a row
  int32_t requeues = 0;                          // since the last progress; drives the back-off
  absl::Time not_before = absl::InfinitePast();  // end of the back-off
  // end of the grace of processes that are being stopped
  absl::Time stop_by = absl::InfinitePast();
  // Consecutive attempts that ended by a worker's fault, without progress on it in between.
  std::map<std::string, int32_t> host_faults;
  std::set<std::string> unready_hosts;  // of those, the ones whose preflight failed

  int64_t checkpoint_step = 0;                 // newest complete checkpoint
  std::vector<Checkpoint> checkpoints;         // accepted and not removed, by step
  std::vector<BadCheckpoint> bad_checkpoints;  // the newest kBadCheckpointsKept, oldest first
  Phase phase_reached = Phase::kPrepare;       // over all attempts
  int64_t reference_records = 0;  // most reference work done so far, for the no-progress rule
  Progress progress;
  std::map<std::string, double> result;             // names of metrics.jsonl
  std::map<std::string, std::string> result_texts;  // what the result says beside its numbers

  absl::Time submitted;
  absl::Time state_since;
  std::optional<absl::Time> started;  // first time every agent accepted
  std::optional<absl::Time> ended;
  uint64_t revision = 0;

  bool operator==(const Job&) const = default;
  const Attempt* last_attempt() const { return attempts.empty() ? nullptr : &attempts.back(); }
};

// Snapshots are shared with readers on other threads and never change.
using JobPtr = std::shared_ptr<const Job>;

AttemptRef LastAttemptRef(const Job& job);  // attempt 0 when there is none yet
// Whether the reference names the newest attempt and that is not fenced.
bool IsCurrent(const Job& job, const AttemptRef& ref);
// Of a stop that was requested; counts from state_since, which was read from the same clock.
absl::Duration StopGraceOf(const Job& job);
// Whether this attempt, in this epoch, was given to the worker.
bool WasMember(const Job& job, const AttemptRef& ref, absl::string_view worker);

}  // namespace fpo::coordinator
