#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo {

// Who of several programs on one store leads.
struct Lead {
  int64_t token = 0;   // of the leader's term; grows with every change of leader
  int64_t beat = 0;    // grows while the leader lives, so that nobody compares clocks
  std::string holder;  // the leader's address; empty: it stepped down, or there never was one

  bool operator==(const Lead&) const = default;
};

// The store's view of it. Writes of a program that no longer leads are refused by the store itself:
// a program that stood still may believe anything, but it changes nothing. Thread-safe.
class LeadKeeper {
 public:
  virtual ~LeadKeeper() = default;

  virtual absl::StatusOr<Lead> ReadLead() const = 0;
  // Takes the lead if it is as it was `seen`; false: it is not. From here on this program's writes
  // are accepted and those of the former leader refused.
  virtual absl::StatusOr<bool> TakeLead(const Lead& seen, const std::string& holder) = 0;
  // FailedPrecondition (NOT_LEADER): the lead is lost. Any other error: not known.
  virtual absl::Status RenewLead() = 0;
  virtual absl::Status StepDown() = 0;  // the next one need not wait; OK when another one leads
};

}  // namespace fpo
