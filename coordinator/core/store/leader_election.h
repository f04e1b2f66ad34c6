#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/store/lead.h"

namespace fpo::coordinator {

// One coordinator's part in choosing which of several leads. A standby takes the lead when the
// leader's beat has not changed for a lease of the standby's own clock, or the leader stepped down.
// A leader that could not renew for a lease considers itself deposed, so it stops acting before the
// next one begins; one that stood still past that is fenced by the store. Not thread-safe.
class LeaderElection {
 public:
  struct Options {
    std::string holder;  // this program's address, for agents and users
    absl::Duration lease = absl::Seconds(10);
  };
  // Not owned.
  LeaderElection(Options options, LeadKeeper* keeper, const SteadyClock* steady)
      : options_(std::move(options)), keeper_(*keeper), steady_(*steady) {}

  // A step: looks or takes the lead, or renews it. Often within a lease; blocks on the store. True
  // while this program leads.
  bool Turn();
  void StepDown();

  const std::string& leader() const { return leader_; }     // its address; empty: not known
  const absl::Status& problem() const { return problem_; }  // of the last step

 private:
  bool Renew();
  bool Look();

  const Options options_;
  LeadKeeper& keeper_;
  const SteadyClock& steady_;
  bool leads_ = false;
  absl::Time renewed_;  // before the last renewal that succeeded was begun
  std::optional<Lead> seen_;
  absl::Time seen_since_;
  std::string leader_;
  absl::Status problem_;
};

}  // namespace fpo::coordinator
