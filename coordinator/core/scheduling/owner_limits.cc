#include "coordinator/core/scheduling/owner_limits.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"

namespace fpo::coordinator {
namespace {

constexpr char kEveryone[] = "*";

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "owner limit \"", text,
      "\" must be NAME:jobs=N,mib=N,priority=N, of which parts may be left out; NAME * "
      "is everyone else"));
}

absl::Status OverLimit(const std::string& owner, const std::string& what) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("user ", owner, " ", what)),
      {.reason = ErrorReason::kQuota,
       .hint = absl::StrCat("wait for some, or cancel some: fpoctl list --owner ", owner,
                            "; the administrator sets it with --owner-limit")});
}

}  // namespace

absl::StatusOr<OwnerLimitRule> ParseOwnerLimit(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0) return Malformed(text);
  OwnerLimitRule rule;
  rule.owner = std::string(text.substr(0, colon));
  for (const absl::string_view part : absl::StrSplit(text.substr(colon + 1), ',')) {
    const std::vector<std::string> words = absl::StrSplit(part, '=');
    int64_t number = 0;
    if (words.size() != 2 || !absl::SimpleAtoi(words[1], &number) || number < 0) {
      return Malformed(text);
    }
    if (words[0] == "jobs") {
      rule.limit.jobs = number;
    } else if (words[0] == "mib" && number <= int64_t{1} << 30) {
      rule.limit.bytes = number << 20;
    } else if (words[0] == "priority" && number <= 1000) {
      rule.limit.priority = number;
    } else {
      return Malformed(text);
    }
  }
  return rule;
}

OwnerLimits::OwnerLimits(const std::vector<OwnerLimitRule>& rules) {
  limits_[kEveryone] = OwnerLimit();
  for (const OwnerLimitRule& rule : rules) limits_[rule.owner] = rule.limit;
}

const OwnerLimit& OwnerLimits::Of(const std::string& owner) const {
  const auto own = limits_.find(owner);
  return own == limits_.end() ? limits_.at(kEveryone) : own->second;
}

absl::Status OwnerLimits::Check(const std::string& owner, const Use& use) const {
  const OwnerLimit& limit = Of(owner);
  if (use.jobs > limit.jobs) {
    return OverLimit(owner, absl::StrCat("has ", use.jobs - 1,
                                         " jobs that have not ended; the limit is ", limit.jobs));
  }
  if (use.bytes > limit.bytes) {
    return OverLimit(owner, absl::StrCat("would have job files of ", use.bytes,
                                         " bytes; the limit is ", limit.bytes));
  }
  return absl::OkStatus();
}

absl::Status OwnerLimits::CheckPriority(const std::string& owner, int64_t priority) const {
  const int64_t highest = Of(owner).priority;
  if (priority <= highest) return absl::OkStatus();
  return WithErrorInfo(
      absl::PermissionDeniedError(absl::StrCat("priority ", priority, " is above ", highest,
                                               ", the highest that ", owner,
                                               " may ask for: it would stop the jobs of others")),
      {.reason = ErrorReason::kBadPriority,
       .field = "resources.priority",
       .hint = "ask the coordinator's administrator, who sets it with --owner-limit"});
}

}  // namespace fpo::coordinator
