#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fpo::coordinator {

// Which workers may act, and until when. All times come from one monotonic clock of the grantor: a
// jump of the wall clock ends no lease. Not thread-safe.
class LeaseTable {
 public:
  // Nothing expires before `reattach_until`: after a start every worker gets the chance to report
  // what it runs.
  LeaseTable(absl::Duration lease, absl::Time reattach_until)
      : lease_(lease), reattach_until_(reattach_until) {}

  void Renew(const std::string& worker, absl::Time now);
  // The grantor itself stood still for `by`, until now: no lease that was valid before runs out
  // earlier for it, and none becomes longer than a new one.
  void Extend(absl::Duration by, absl::Time now);
  // Workers whose lease ran out; each is returned once and has no lease afterwards.
  std::vector<std::string> TakeExpired(absl::Time now);
  void Drop(const std::string& worker) { expiry_.erase(worker); }
  bool Has(const std::string& worker) const { return expiry_.count(worker) != 0; }
  std::optional<absl::Time> Expiry(const std::string& worker) const;
  absl::Duration lease() const { return lease_; }
  absl::Time reattach_until() const { return reattach_until_; }

 private:
  const absl::Duration lease_;
  const absl::Time reattach_until_;
  std::map<std::string, absl::Time> expiry_;
};

}  // namespace fpo::coordinator
