#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/lines/audit_entry.h"

namespace fpo::coordinator {

// Keeps one caller, known or not, from pushing the entries of all others out of the audit: so many
// of its calls an hour are entries of their own, the rest one entry with their number. Not
// thread-safe.
class CallTally {
 public:
  // Whether the call becomes an entry of its own; else it is counted under `who`.
  bool Takes(const std::string& who, int64_t entries_max, const AuditEntry& entry);
  // One entry for each caller whose hour is over and who had more calls.
  std::vector<AuditEntry> TakeEnded(absl::Time now);

 private:
  struct Hour {
    absl::Time begun;
    int64_t entries = 0;
    int64_t more = 0;
    AuditEntry last;  // of those
  };
  std::map<std::string, Hour> hours_;  // at most kCallersMax, beyond that all others together
};

// The host of a gRPC peer: "ipv4:10.0.0.7" of "ipv4:10.0.0.7:40312".
std::string HostOfPeer(const std::string& peer);

}  // namespace fpo::coordinator
