#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// How many slots the jobs of one owner or one queue may hold at the same time.
struct QuotaRule {
  enum class Of { kOwner, kQueue };
  Of of = Of::kOwner;
  std::string name;  // "*": each one without a separate rule
  int32_t slots = 0;
};

// "owner:ada=4", "queue:nightly=8", "owner:*=16". InvalidArgument for anything else.
absl::StatusOr<QuotaRule> ParseQuotaRule(absl::string_view text);

// Counts slots against the rules. Not thread-safe.
class SlotQuota {
 public:
  explicit SlotQuota(const std::vector<QuotaRule>& rules);

  void Use(const Job& job, int32_t slots);  // it holds them
  // Why the job must wait, as shown by `explain`; nullopt when it may have all its slots.
  std::optional<std::string> Refusal(const Job& job) const;
  // The same for so many slots more than it holds.
  std::optional<std::string> Refusal(const Job& job, int32_t slots) const;
  // Whether the job alone exceeds a limit.
  bool NeverFits(const Job& job) const;

 private:
  using Key = std::pair<QuotaRule::Of, std::string>;
  std::optional<int32_t> LimitOf(const Key& key) const;

  std::map<Key, int32_t> limits_;
  std::map<Key, int32_t> used_;
};

}  // namespace fpo::coordinator
