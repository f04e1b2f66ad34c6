#include "coordinator/core/store/leader_election.h"

#include "common/error_info.h"

namespace fpo::coordinator {

bool LeaderElection::Turn() {
  leads_ = leads_ ? Renew() : Look();
  return leads_;
}

bool LeaderElection::Renew() {
  const absl::Time begun = steady_.Now();
  problem_ = keeper_.RenewLead();
  if (problem_.ok()) renewed_ = begun;
  const bool is_fenced = ReasonOf(problem_) == ErrorReason::kNotLeader;
  if (!is_fenced && steady_.Now() - renewed_ < options_.lease) return true;
  leader_.clear();
  seen_.reset();
  return false;
}

bool LeaderElection::Look() {
  const absl::StatusOr<Lead> lead = keeper_.ReadLead();
  problem_ = lead.status();
  if (!lead.ok()) {
    // What was seen before may have changed meanwhile.
    seen_.reset();
    return false;
  }
  const absl::Time now = steady_.Now();
  if (seen_ != *lead) {
    seen_ = *lead;
    seen_since_ = now;
  }
  leader_ = lead->holder == options_.holder ? "" : lead->holder;
  // An earlier program of our own address is dead: we listen there.
  const bool is_free = lead->holder.empty() || lead->holder == options_.holder;
  if (!is_free && now - seen_since_ < options_.lease) return false;
  const absl::StatusOr<bool> taken = keeper_.TakeLead(*lead, options_.holder);
  problem_ = taken.status();
  if (!taken.ok() || !*taken) return false;
  renewed_ = now;
  leader_ = options_.holder;
  return true;
}

void LeaderElection::StepDown() {
  if (!leads_) return;
  leads_ = false;
  seen_.reset();
  problem_ = keeper_.StepDown();
}

}  // namespace fpo::coordinator
