#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/values/attempt_ref.h"
#include "common/values/cache_use.h"
#include "common/values/end_class.h"

namespace fpo::coordinator {

enum class MemberState { kAssigned, kAccepted, kRunning, kSucceeded, kGone };

// One worker's part of an attempt's gang.
struct Member {
  std::string worker;
  std::string instance;  // of the agent process that got the assignment
  int32_t slots = 1;
  int32_t first_rank = 0;
  MemberState state = MemberState::kAssigned;
  CacheUse cache = {};        // as last reported by this worker
  std::string prepared = {};  // digest of its token files; empty: not known
  std::string home = {};      // WorkerHello::home_id of that agent

  bool operator==(const Member&) const = default;
  bool ended() const { return state == MemberState::kSucceeded || state == MemberState::kGone; }
};

// One attempt to run a job.
struct Attempt {
  int32_t number = 0;  // from 1
  uint64_t epoch = 0;
  std::vector<Member> members;
  int32_t rendezvous_port = 0;  // where rank 0 awaits the others; 0: one rank, or unknown
  absl::Time started;
  std::optional<absl::Time> ended;
  std::optional<EndClass> end_class;  // none while it is running
  std::string end_message;
  int64_t end_step = 0;      // of the job's progress when it ended
  std::string last_error;    // newest error event, for reports that carry no message
  bool lost_worker = false;  // it ended because a worker failed, fell silent or left
  bool progressed = false;   // a new checkpoint, a phase reached first, a new reference record
  CacheUse cache;            // of all members together: CacheUseOf(members)

  bool operator==(const Attempt&) const = default;
  bool AllEnded() const;
  const Member* Find(absl::string_view worker) const;
  Member* Find(absl::string_view worker);
};

// Over the workers of one attempt, which fill one manifest together: what was present at their
// first request, and the total that they computed.
CacheUse CacheUseOf(const std::vector<Member>& members);
// Over all attempts: what the job found at its first request, and the total that it computed, so
// that a restarted job does not count its own records as found.
CacheUse CacheUseOf(const std::vector<Attempt>& attempts);

}  // namespace fpo::coordinator
