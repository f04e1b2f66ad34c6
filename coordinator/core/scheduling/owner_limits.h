#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo::coordinator {

// What one owner may ask of the coordinator. Holds for callers that it knows by an access list and
// that are no administrators.
struct OwnerLimit {
  int64_t jobs = 1000;                // that have not ended
  int64_t bytes = int64_t{64} << 20;  // of job files, of all jobs that are kept
  int64_t priority = 500;             // the highest; a higher job preempts a lower one

  bool operator==(const OwnerLimit&) const = default;
};

struct OwnerLimitRule {
  std::string owner;  // "*": each one without a separate rule
  OwnerLimit limit;   // the defaults where the rule says nothing
};

// "ana:jobs=50,mib=8,priority=800"; each part may be left out. InvalidArgument.
absl::StatusOr<OwnerLimitRule> ParseOwnerLimit(absl::string_view text);

// The rules of all owners. A value.
class OwnerLimits {
 public:
  explicit OwnerLimits(const std::vector<OwnerLimitRule>& rules);

  struct Use {
    int64_t jobs = 0;   // with the one asked for
    int64_t bytes = 0;  // with the one asked for
  };
  // ResourceExhausted (QUOTA) names the limit and what is in use of it.
  absl::Status Check(const std::string& owner, const Use& use) const;
  // PermissionDenied (BAD_PRIORITY) names the highest.
  absl::Status CheckPriority(const std::string& owner, int64_t priority) const;

 private:
  const OwnerLimit& Of(const std::string& owner) const;

  std::map<std::string, OwnerLimit> limits_;
};

}  // namespace fpo::coordinator
