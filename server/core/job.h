#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/core/cache_use.h"

// The coordinator's nouns as plain values; no behaviour beyond asking them something.
namespace fpo::coordinator {

enum class JobState {
  kQueued,
  kReserved,  // slots held, agents have not all accepted yet
  kStarting,  // preflight on the hosts
  kRunning,
  kRecovering,  // an attempt ended without a result; old processes are being stopped
  kCancelling,
  kSucceeded,
  kFailed,
  kCancelled,
};
inline constexpr int kJobStates = 9;

absl::string_view JobStateName(JobState state);  // "QUEUED"
std::optional<JobState> JobStateFromName(absl::string_view name);
bool IsTerminal(JobState state);
bool HasAttempt(JobState state);  // an attempt may have processes: RESERVED to CANCELLING

// Names one attempt. An attempt counts only while its epoch is the job's.
struct AttemptRef {
  std::string job_id;
  int32_t attempt = 0;
  uint64_t epoch = 0;

  auto operator<=>(const AttemptRef&) const = default;
};

enum class MemberState { kAssigned, kAccepted, kRunning, kSucceeded, kGone };

// One worker's part of an attempt's gang.
struct Member {
  std::string worker;
  std::string instance;  // of the agent process that got the assignment
  int32_t slots = 1;
  int32_t first_rank = 0;
  MemberState state = MemberState::kAssigned;

  bool operator==(const Member&) const = default;
  bool ended() const { return state == MemberState::kSucceeded || state == MemberState::kGone; }
};

struct Progress {
  std::string phase;  // prepare | reference | train | finish
  int64_t done = 0;   // within the phase
  int64_t total = 0;
  std::string unit;
  int64_t step = 0;
  int64_t total_steps = 0;
  std::map<std::string, double> metrics;  // last values, names of metrics.jsonl
  CacheUse cache;                         // of the job: CacheUseOf its attempts
  absl::Time updated = absl::InfinitePast();

  bool operator==(const Progress&) const = default;
};

struct Attempt {
  int32_t number = 0;  // from 1
  uint64_t epoch = 0;
  std::vector<Member> members;
  absl::Time started;
  std::optional<absl::Time> ended;
  std::string end_class;  // done | invalid | memory | program | infrastructure | asked
  std::string end_message;
  std::string last_error;   // newest error event, for reports that carry no message
  bool progressed = false;  // a new checkpoint, a phase reached first, a new reference record
  CacheUse cache;           // as this attempt last reported it

  bool operator==(const Attempt&) const = default;
  bool AllEnded() const;
  const Member* Find(absl::string_view worker) const;
  Member* Find(absl::string_view worker);
};

// What the job's configuration says about running it; fixed at submit.
struct JobDemand {
  int32_t slots = 1;
  int64_t priority = 500;  // higher first
  int64_t max_restarts = 3;
  bool retry_on_oom = false;

  bool operator==(const JobDemand&) const = default;
};

// Over all attempts: what the job found when it first asked, and what it computed in all, so that a
// restarted job does not claim that its own records were there before.
CacheUse CacheUseOf(const std::vector<Attempt>& attempts);

struct Job {
  std::string job_id;
  std::string name;
  std::string owner;
  std::string config_json;  // the effective job
  std::string kind;         // of config_json
  std::string method;       // of config_json; empty unless kind is "train"
  JobDemand demand;

  JobState state = JobState::kQueued;
  std::string reason;  // why FAILED, or why it waits
  uint64_t epoch = 0;  // only grows
  std::vector<Attempt> attempts;
  int64_t restarts_used = 0;
  int32_t attempts_without_progress = 0;         // in a row
  int32_t requeues = 0;                          // since the last progress; drives the back-off
  absl::Time not_before = absl::InfinitePast();  // end of the back-off

  int64_t checkpoint_step = 0;    // newest complete checkpoint
  int32_t phase_reached = 0;      // 0 prepare, 1 reference, 2 train, 3 finish; over all attempts
  int64_t reference_records = 0;  // most reference work ever done, for the no-progress rule
  Progress progress;
  std::map<std::string, double> result;

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
// The reference names the newest attempt and nothing has fenced it.
bool IsCurrent(const Job& job, const AttemptRef& ref);

}  // namespace fpo::coordinator
